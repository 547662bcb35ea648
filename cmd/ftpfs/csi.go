package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ftpfs/internal/csi"
)

func csiCommand() *cobra.Command {
	var endpoint, nodeID, cacheDir string
	cmd := &cobra.Command{
		Use:   "csi --endpoint unix:PATH --node-id NAME",
		Short: "Mount volumes for the containers of a cluster",
		Long: `Serves the node side of a driver of the Container Storage Interface, for Kubernetes
and others. A volume has the attribute url and perhaps mount options, which are those
of ftpfs, and secrets with the names username and password. SIGTERM and SIGINT end the
driver; mounts stay.`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 0:
				return fail(exitUsage, "ftpfs csi takes no arguments, only flags.")
			case nodeID == "":
				return fail(exitUsage, "ftpfs csi needs --node-id, the name of this machine in the cluster.")
			case !strings.HasPrefix(endpoint, "unix:"):
				return fail(exitUsage, "--endpoint has to be a socket, as in unix:/csi/csi.sock.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := thisHost().checkFuse(true); err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return serveCSI(strings.TrimPrefix(strings.TrimPrefix(endpoint, "unix:"), "//"), csi.Config{
				NodeID: nodeID, Version: version(), Log: log,
				Mount:   func(ctx context.Context, v csi.Volume) error { return publish(ctx, v, cacheDir) },
				Unmount: func(ctx context.Context, dir string) error { return itself(ctx, "", "umount", "--", dir) },
				Mounted: func(dir string) bool {
					name, err := thisHost().resolve(dir)
					return err == nil && thisHost().mounted(name).ours()
				},
			})
		},
	}
	cmd.Flags().StringVar(&endpoint, "endpoint", "", "`unix:PATH` of the socket to listen on")
	cmd.Flags().StringVar(&nodeID, "node-id", "", "`NAME` by which the cluster knows this machine")
	cmd.Flags().StringVar(&cacheDir, "cache-dir", "", "`DIR` where file contents are kept while mounted (default as for other mounts)")
	return cmd
}

// serveCSI serves a driver on a socket, in place of one that was left there, until a signal
// comes.
func serveCSI(socket string, config csi.Config) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(exitUsage, "The socket cannot be made: %w.", err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return fail(exitUsage, "The socket cannot be made: %w.", err)
	}
	signals := endSignals()
	defer signal.Stop(signals)
	d := csi.New(config)
	done := make(chan error, 1)
	go func() { done <- d.Serve(l) }()
	select {
	case err = <-done:
	case <-signals:
		d.Stop()
		err = <-done
	}
	if err != nil {
		return fail(exitUnmount, "The driver has ended: %w.", err)
	}
	return nil
}

// publish mounts a volume by this program, which reports when the mount answers. All users
// of the container may use it, as far as the permissions that are shown let them.
func publish(ctx context.Context, v csi.Volume, cacheDir string) error {
	args := []string{"--allow-other"}
	if v.ReadOnly {
		args = append(args, "--read-only")
	}
	if v.User != "" {
		args = append(args, "--user", v.User)
	}
	if cacheDir != "" {
		args = append(args, "--cache-dir", cacheDir)
	}
	for _, option := range v.Options {
		args = append(args, "-o", option)
	}
	return itself(ctx, v.Password, append(args, "--", v.URL, v.Dir)...)
}

// itself runs this program with a command line, and returns what it complains of.
func itself(ctx context.Context, password string, args ...string) error {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Args[0] = "ftpfs"
	cmd.Env = withoutSecrets(os.Environ())
	if password != "" {
		cmd.Env = append(cmd.Env, "FTPFS_PASSWORD="+password)
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // which ends a mount that is not there yet
	cmd.WaitDelay = patience
	if err := cmd.Run(); err != nil {
		if text := strings.TrimPrefix(strings.TrimSpace(said.String()), "ftpfs: "); text != "" {
			return errors.New(text)
		}
		return err
	}
	return nil
}
