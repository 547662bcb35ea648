package csi

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	spec "github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// fakeMounts remembers what would be mounted.
type fakeMounts struct {
	mu  sync.Mutex
	all map[string]Volume
	err error // of Mount and Unmount
}

func (f *fakeMounts) mount(_ context.Context, v Volume) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.all[v.Dir] = v
	}
	return f.err
}

func (f *fakeMounts) unmount(_ context.Context, dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		delete(f.all, dir)
	}
	return f.err
}

func (f *fakeMounts) mounted(dir string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.all[dir]
	return ok
}

// serve runs a driver on a socket until the test ends, and returns its address.
func serve(t *testing.T, f *fakeMounts) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "csi.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	d := New(Config{NodeID: "here", Version: "1", Mount: f.mount, Unmount: f.unmount, Mounted: f.mounted})
	done := make(chan error)
	go func() { done <- d.Serve(l) }()
	t.Cleanup(func() {
		d.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "unix://" + socket
}

// volumes stands in for who describes volumes in a cluster: csi-sanity makes them by a
// controller service, which we do not have.
type volumes struct {
	spec.UnimplementedControllerServer
}

func (volumes) CreateVolume(_ context.Context, r *spec.CreateVolumeRequest) (*spec.CreateVolumeResponse, error) {
	return &spec.CreateVolumeResponse{Volume: &spec.Volume{VolumeId: r.GetName(), VolumeContext: map[string]string{"url": "ftp://host/"}}}, nil
}

func (volumes) DeleteVolume(context.Context, *spec.DeleteVolumeRequest) (*spec.DeleteVolumeResponse, error) {
	return &spec.DeleteVolumeResponse{}, nil
}

func (volumes) ControllerGetCapabilities(context.Context, *spec.ControllerGetCapabilitiesRequest) (*spec.ControllerGetCapabilitiesResponse, error) {
	return &spec.ControllerGetCapabilitiesResponse{}, nil
}

// csi-sanity passes, as far as it tests the services that we have.
func TestSanity(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "controller.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	controller := grpc.NewServer()
	spec.RegisterControllerServer(controller, volumes{})
	spec.RegisterIdentityServer(controller, &identity{driver: &Driver{}}) // asked on each connection
	go controller.Serve(l)
	defer controller.Stop()

	config := sanity.NewTestConfig()
	config.Address = serve(t, &fakeMounts{all: map[string]Volume{}})
	config.ControllerAddress = "unix://" + socket
	config.TargetPath, config.StagingPath = filepath.Join(t.TempDir(), "target"), filepath.Join(t.TempDir(), "staging")
	sc := sanity.GinkgoTest(&config)
	defer sc.Finalize()
	gomega.RegisterFailHandler(ginkgo.Fail)
	suite, reporter := ginkgo.GinkgoConfiguration()
	suite.FocusStrings = []string{"Node Service", "Identity Service"}
	ginkgo.RunSpecs(t, "CSI", suite, reporter)
}

func TestPublish(t *testing.T) {
	f := &fakeMounts{all: map[string]Volume{}}
	conn, err := grpc.NewClient(serve(t, f), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := spec.NewNodeClient(conn)
	dir := filepath.Join(t.TempDir(), "pods", "volume")
	request := func() *spec.NodePublishVolumeRequest {
		return &spec.NodePublishVolumeRequest{
			VolumeId: "1", TargetPath: dir,
			VolumeContext: map[string]string{"url": "ftp://host/"},
			Secrets:       map[string]string{"username": "ann", "password": "secret"},
			VolumeCapability: &spec.VolumeCapability{
				AccessType: &spec.VolumeCapability_Mount{Mount: &spec.VolumeCapability_MountVolume{MountFlags: []string{"uid=5"}}},
				AccessMode: &spec.VolumeCapability_AccessMode{Mode: spec.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY},
			},
		}
	}
	for name, spoil := range map[string]func(*spec.NodePublishVolumeRequest){
		"no URL":                func(r *spec.NodePublishVolumeRequest) { r.VolumeContext = nil },
		"another URL":           func(r *spec.NodePublishVolumeRequest) { r.VolumeContext["url"] = "--log-file=/etc/x" },
		"a password in the URL": func(r *spec.NodePublishVolumeRequest) { r.VolumeContext["url"] = "ftp://ann:secret@host/" },
		"a password in an option": func(r *spec.NodePublishVolumeRequest) {
			r.VolumeCapability.GetMount().MountFlags = []string{"ro,user=ann:secret"}
		},
		"a password of the proxy": func(r *spec.NodePublishVolumeRequest) {
			r.VolumeCapability.GetMount().MountFlags = []string{"proxy=http://ann:secret@host"}
		},
		"described inline": func(r *spec.NodePublishVolumeRequest) { r.VolumeContext["csi.storage.k8s.io/ephemeral"] = "true" },
		"a block device": func(r *spec.NodePublishVolumeRequest) {
			r.VolumeCapability.AccessType = &spec.VolumeCapability_Block{Block: &spec.VolumeCapability_BlockVolume{}}
		},
	} {
		r := request()
		spoil(r)
		if _, err := client.NodePublishVolume(t.Context(), r); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 { // the second time nothing is left to do
		if _, err := client.NodePublishVolume(t.Context(), request()); err != nil {
			t.Fatal(err)
		}
	}
	v := f.all[dir]
	if v.URL != "ftp://host/" || !v.ReadOnly || v.User != "ann" || v.Password != "secret" || len(v.Options) != 1 || v.Options[0] != "uid=5" {
		t.Errorf("%+v", v)
	}
	for range 2 {
		if _, err := client.NodeUnpublishVolume(t.Context(), &spec.NodeUnpublishVolumeRequest{VolumeId: "1", TargetPath: dir}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) || f.mounted(dir) {
		t.Errorf("left: %v", err)
	}
	f.err = os.ErrPermission
	if _, err := client.NodePublishVolume(t.Context(), request()); status.Code(err) != codes.Internal {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("a mount that failed leaves its directory")
	}
}
