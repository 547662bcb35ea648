package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	spec "github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/spf13/afero"
	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"ftpfs/internal/csi"
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
			AccessType: &spec.VolumeCapability_Mount{Mount: &spec.VolumeCapability_MountVolume{MountFlags: []string{"umask=027", "capacity=3T"}}},
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
	stats, err := client.NodeGetVolumeStats(t.Context(), &spec.NodeGetVolumeStatsRequest{VolumeId: "1", VolumePath: dir})
	if err != nil || len(stats.GetUsage()) != 1 || stats.Usage[0].GetTotal() != 3<<40 || stats.Usage[0].GetTotal() != stats.Usage[0].GetUsed()+stats.Usage[0].GetAvailable() {
		t.Error(stats, err)
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

// What csi.yaml starts is a command line of ours, and its parts fit together.
func TestCSIManifest(t *testing.T) {
	file, err := os.Open("../../docs/csi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var driver struct {
		Metadata struct{ Name string }
	}
	var set struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Name          string
						Command, Args []string
						VolumeMounts  []struct {
							Name      string
							MountPath string `yaml:"mountPath"`
						} `yaml:"volumeMounts"`
					}
					Volumes []struct {
						Name     string
						HostPath struct{ Path string } `yaml:"hostPath"`
					}
				}
			}
		}
	}
	documents := yaml.NewDecoder(file)
	if err := errors.Join(documents.Decode(&driver), documents.Decode(&set)); err != nil {
		t.Fatal(err)
	}
	spec := set.Spec.Template.Spec
	if driver.Metadata.Name != csi.Name || len(spec.Containers) != 2 {
		t.Fatalf("%+v\n%+v", driver, spec)
	}
	command := spec.Containers[0].Command
	cmd := csiCommand()
	if err := cmd.ParseFlags(command[2:]); err != nil || command[0] != "ftpfs" || command[1] != cmd.Name() {
		t.Errorf("%q: %v", command, err)
	}
	if err := cmd.Args(cmd, cmd.Flags().Args()); err != nil {
		t.Error(err)
	}
	onHost := map[string]string{}
	for _, v := range spec.Volumes {
		onHost[v.Name] = v.HostPath.Path
	}
	inside := map[string]string{}
	for _, c := range spec.Containers {
		for _, m := range c.VolumeMounts {
			if onHost[m.Name] == "" {
				t.Errorf("%s mounts %s, which is not there", c.Name, m.Name)
			}
			inside[m.MountPath] = onHost[m.Name]
		}
	}
	endpoint, _ := cmd.Flags().GetString("endpoint")
	dir, socket := filepath.Split(strings.TrimPrefix(endpoint, "unix:"))
	registered := "--kubelet-registration-path=" + filepath.Join(inside[filepath.Clean(dir)], socket)
	if args := spec.Containers[1].Args; !slices.Contains(args, registered) || !slices.Contains(args, "--csi-address="+strings.TrimPrefix(endpoint, "unix:")) {
		t.Errorf("%q, want %s", args, registered)
	}
	if cache, _ := cmd.Flags().GetString("cache-dir"); inside[cache] == "" {
		t.Errorf("what waits in %s goes with the pod", cache)
	}
}
