package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime/pprof"
	"time"

	"github.com/spf13/cobra"
)

// cpuProfileTime is how long the processor is watched.
const cpuProfileTime = 5 * time.Second

// profileCommand is for those who work on ftpfs: go tool pprof reads what it writes.
func profileCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "profile KIND PATH FILE",
		Short:  "Write a profile of the process of a mount",
		Long:   "Writes a profile of the process that serves PATH to FILE, for go tool pprof. KIND is cpu, heap, goroutine, mutex or block.",
		Hidden: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 3 {
				return fail(exitUsage, "ftpfs profile needs a kind, a path and a file, as in: ftpfs profile heap /mnt heap.out.")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			h := thisHost()
			dir, _, err := h.find(args[1])
			if err != nil {
				return err
			}
			p, err := h.reach(dir)
			if err != nil {
				return err
			}
			defer p.conn.Close()
			r, err := p.ask(request{What: askProfile, Profile: args[0]})
			if err != nil {
				return err
			}
			if err := os.WriteFile(args[2], r.Profile, 0o600); err != nil {
				return fail(exitUsage, "The profile cannot be written: %w.", err)
			}
			return nil
		},
	}
}

// takeProfile takes a profile of this process. For that of the processor it blocks.
func takeProfile(ctx context.Context, kind string) ([]byte, error) {
	var b bytes.Buffer
	if kind == "cpu" {
		if err := pprof.StartCPUProfile(&b); err != nil {
			return nil, err
		}
		select {
		case <-time.After(cpuProfileTime):
		case <-ctx.Done():
		}
		pprof.StopCPUProfile()
		return b.Bytes(), nil
	}
	p := pprof.Lookup(kind)
	if p == nil {
		return nil, errors.New("there are cpu, heap, goroutine, mutex and block")
	}
	err := p.WriteTo(&b, 0)
	return b.Bytes(), err
}
