package netlab

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

func here(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink(ownNamespace)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// identity names the namespace of a side.
func identity(t *testing.T, side *Side) (name string) {
	t.Helper()
	err := side.Do(func() (err error) {
		name, err = os.Readlink(ownNamespace)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDoIsInTheNamespaceAndComesBack(t *testing.T) {
	lab := newLab(t, Link{})
	runtime.LockOSThread() // the thread that is looked at
	defer runtime.UnlockOSThread()
	home, server, client := here(t), identity(t, lab.Server), identity(t, lab.Client)
	if home == server || home == client || server == client {
		t.Fatalf("here %s, server %s, client %s", home, server, client)
	}
	lab.Server.Do(func() error {
		if got := identity(t, lab.Client); got != client {
			t.Errorf("inside of another Do: %s, want %s", got, client)
		}
		if got := here(t); got != server {
			t.Errorf("after another Do: %s, want %s", got, server)
		}
		return nil
	})
	mistake := errors.New("mistake")
	if err := lab.Server.Do(func() error { return mistake }); err != mistake {
		t.Errorf("Do gave %v", err)
	}
	func() {
		defer func() { recover() }()
		lab.Server.Do(func() error { panic(mistake) })
	}()
	if got := here(t); got != home {
		t.Errorf("after a panic: %s, want %s", got, home)
	}
	lab.Close()
	if err := lab.Server.Do(func() error { return nil }); err == nil {
		t.Error("a closed lab let somebody in")
	}
}

func TestCommandRunsInTheNamespace(t *testing.T) {
	lab := newLab(t, Link{})
	cmd := lab.Client.Command(t.Context(), "sh", "-c", `readlink /proc/self/ns/net; readlink /proc/self/ns/mnt; cat; exit "$1"`, "sh", "3")
	cmd.Stdin = strings.NewReader("input")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("ended with %v", err)
	}
	mounts, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	if want := identity(t, lab.Client) + "\n" + mounts + "\ninput"; string(out) != want {
		t.Errorf("printed %q, want %q", out, want)
	}
	if err := lab.Client.Command(t.Context(), "no-such-program").Run(); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("a missing program: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	long := lab.Client.Command(ctx, "sleep", "1000")
	if err := long.Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := long.Wait(); err == nil {
		t.Error("a command outlived its context")
	}
}

func TestStartInTheNamespace(t *testing.T) {
	lab := newLab(t, Link{})
	var out strings.Builder
	cmd := exec.Command("readlink", "/proc/self/ns/net")
	cmd.Stdout = &out
	if err := lab.Server.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if want := identity(t, lab.Server) + "\n"; out.String() != want {
		t.Errorf("ran in %q, want %q", out.String(), want)
	}
}
