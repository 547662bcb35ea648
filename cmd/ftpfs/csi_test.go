package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	spec "github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/spf13/afero"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"ftpfs/internal/ftptest"
)

// A volume is mounted for a container, written to and unmounted.
func TestCSI(t *testing.T) {
	t.Setenv(programMark, "1")
	t.Setenv("HOME", t.TempDir())
	server := ftptest.Start(t, ftptest.Options{User: "ann"})
	if err := afero.WriteFile(server.Fs(), "/data/file", []byte("from the server"), 0o644); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "csi.sock")
	ended := make(chan string, 1)
	go func() {
		var p program
		_, _, stderr := run(&p, "csi", "--endpoint", "unix://"+socket, "--node-id", "here")
		ended <- stderr
	}()
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := spec.NewNodeClient(conn)
	info, err := client.NodeGetInfo(t.Context(), &spec.NodeGetInfoRequest{}, grpc.WaitForReady(true))
	if err != nil || info.GetNodeId() != "here" {
		t.Fatal(info, err)
	}
	dir := filepath.Join(t.TempDir(), "volume")
	t.Cleanup(func() {
		if thisHost().mounted(dir).ours() {
			thisHost().detach(dir)
		}
	})
	request := &spec.NodePublishVolumeRequest{
		VolumeId: "1", TargetPath: dir,
		VolumeContext: map[string]string{"url": "ftp://" + server.Addr() + "/data"},
		Secrets:       map[string]string{"username": "ann", "password": "wrong"},
		VolumeCapability: &spec.VolumeCapability{
			AccessType: &spec.VolumeCapability_Mount{Mount: &spec.VolumeCapability_MountVolume{MountFlags: []string{"umask=027"}}},
			AccessMode: &spec.VolumeCapability_AccessMode{Mode: spec.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER},
		},
	}
	if _, err := client.NodePublishVolume(t.Context(), request); err == nil || !strings.Contains(err.Error(), "refused the login of ann") || strings.Contains(err.Error(), "wrong") {
		t.Error(err)
	}
	request.Secrets["password"] = "secret"
	if _, err := client.NodePublishVolume(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if got := shell(t, dir, "cat file; stat -c ' %A' file; echo to the server > new"); got != "from the server -rw-r-----\n" {
		t.Errorf("%q", got)
	}
	if _, err := client.NodeUnpublishVolume(t.Context(), &spec.NodeUnpublishVolumeRequest{VolumeId: "1", TargetPath: dir}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("left: %v", err)
	}
	if data, err := afero.ReadFile(server.Fs(), "/data/new"); err != nil || string(data) != "to the server\n" {
		t.Errorf("%q, %v", data, err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if stderr := <-ended; strings.Contains(stderr, "secret") || strings.Contains(stderr, "wrong") {
		t.Error(stderr)
	}
}
