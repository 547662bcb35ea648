package ftpfs_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// modelEnv makes this program the worker of a model: what serves a mount must
// not be what uses it. The value says where.
const modelEnv = "FTPFS_MODEL_WORKER"

func init() {
	if where := os.Getenv(modelEnv); where != "" {
		if err := modelWork(where); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// A modelSetup says where a worker compares what.
type modelSetup struct {
	Mount, Local, Server string // directories; what is in Mount is in Server when it is published
	Modes                bool   // the server tells permissions
}

// A verdict is what a worker has to say of an operation.
type verdict struct {
	Errno  syscall.Errno // on the local disk
	Text   string        // what came of it there
	Names  []string      // what is there then
	Differ string        // what came of it in the mount, when that is something else
}

// A modelWorker carries out each operation in the mount and on the local disk.
type modelWorker struct {
	ops      *gob.Encoder
	verdicts *gob.Decoder
}

func startModelWorker(t *testing.T, setup modelSetup) *modelWorker {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s:%s:%s:%t", modelEnv, setup.Mount, setup.Local, setup.Server, setup.Modes))
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the worker: %v", err)
		}
	})
	return &modelWorker{gob.NewEncoder(in), gob.NewDecoder(out)}
}

func (w *modelWorker) do(op modelOp) (v verdict, err error) {
	if err := w.ops.Encode(op); err != nil {
		return v, err
	}
	return v, w.verdicts.Decode(&v)
}

func modelWork(where string) error {
	syscall.Umask(0o022)
	part := strings.Split(where, ":")
	since := time.Now()
	modes := part[3] == "true"
	mount, local := newWorld(filepath.Join(part[0], "-"), modes, since), newWorld(filepath.Join(part[1], "-"), modes, since)
	server := newWorld(filepath.Join(part[2], "-"), modes, since)
	in, out := gob.NewDecoder(os.Stdin), gob.NewEncoder(os.Stdout)
	for {
		var op modelOp
		if err := in.Decode(&op); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var v verdict
		switch op.Verb {
		case "begin":
			if err := errors.Join(mount.begin(op.Path), local.begin(op.Path)); err != nil {
				return err
			}
			server.root = filepath.Join(part[2], op.Path)
		case "served":
			v = untilServed(server, local)
		default:
			v = compare(mount.do(op), local.do(op))
			v.Names = local.names()
		}
		if err := out.Encode(v); err != nil {
			return err
		}
	}
}

// untilServed compares what the server has when all files are closed. Those
// that were unlinked while open go some time after their last close.
func untilServed(server, local *world) verdict {
	op := modelOp{Verb: "tree"}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		v := compare(server.do(op), local.do(op))
		if v.Differ == "" || time.Now().After(deadline) {
			return v
		}
	}
}

func compare(got, want result) verdict {
	v := verdict{Errno: want.errno, Text: want.text}
	if want.data != nil {
		v.Text = fmt.Sprintf("%d bytes", len(want.data))
	}
	switch {
	case got.errno != want.errno:
		v.Differ = fmt.Sprintf("%v (%d)", got.errno, got.errno)
	case got.text != want.text:
		v.Differ = got.text
	case !bytes.Equal(got.data, want.data):
		v.Text, v.Differ = runs(want.data), runs(got.data)
	}
	return v
}
