package main

import (
	"math"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is what the figures were measured on.
type Machine struct {
	CPU    string
	Cores  int
	Memory int64 // bytes
	Kernel string
	TCP    string  `json:",omitempty"` // its congestion control, or what --tcp has chosen for the link
	Load   float64 // of the minute before
}

// busy tells that others used the machine before the run.
func (m Machine) busy() bool { return m.Load > float64(m.Cores)/2 }

func thisMachine() Machine {
	m := Machine{CPU: "unknown", Cores: runtime.NumCPU()}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = parseCPUName(string(info))
	}
	if name, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control"); err == nil {
		m.TCP = strings.TrimSpace(string(name))
	}
	var system unix.Sysinfo_t
	if unix.Sysinfo(&system) == nil {
		m.Memory = int64(system.Totalram) * int64(system.Unit)
		m.Load = math.Round(float64(system.Loads[0])/(1<<16)*10) / 10
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	return m
}

// parseCPUName reads the model's name from /proc/cpuinfo; not all processors tell it.
func parseCPUName(info string) string {
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
