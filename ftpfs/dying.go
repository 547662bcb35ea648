package ftpfs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// dying tells whether the thread pid is about to end by a signal, as far as /proc shows: the
// kernel turns a signal without a handler into SIGKILL. What a thread does while it ends, such as
// to close its files, does not count: it is worth a moment of waiting.
func dying(pid uint32) bool {
	const (
		killed  = 1 << (syscall.SIGKILL - 1)
		exiting = 0x4 // PF_EXITING of linux/sched.h
	)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false // it is gone, or in a name space of which nothing is seen here
	}
	own, _ := field(status, "SigPnd:", 16)
	shared, _ := field(status, "ShdPnd:", 16)
	if (own|shared)&killed == 0 {
		return false
	}
	flags, err := threadFlags(pid)
	return err == nil && flags&exiting == 0
}

// threadFlags are the flags that the kernel keeps of a thread (proc_pid_stat(5)).
func threadFlags(pid uint32) (uint64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// pid (name) state ppid pgrp session tty tpgid flags ...; the name may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 7 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, stat)
	}
	return strconv.ParseUint(string(fields[6]), 10, 64)
}
