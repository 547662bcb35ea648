package csi

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	spec "github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Name is that of the driver, as volumes give it.
const Name = "csi.ftpfs"

// Volume is a mount to make.
type Volume struct {
	URL            string
	Dir            string   // an empty directory
	Options        []string // of ftpfs, as behind -o
	ReadOnly       bool
	User, Password string // "" = not given
}

// Config says how a driver mounts. All fields but Log have to be set.
type Config struct {
	NodeID  string // by which the cluster knows this machine
	Version string

	Mount   func(context.Context, Volume) error         // returns when the mount answers
	Unmount func(ctx context.Context, dir string) error // waits for uploads
	Mounted func(dir string) bool                       // also when the mount is dead

	Log *slog.Logger // nil = none
}

// Driver is a CSI driver.
type Driver struct {
	config Config
	server *grpc.Server

	mu   sync.Mutex
	busy map[string]bool // directories that a request works on
}

// New makes a driver that is not served yet.
func New(config Config) *Driver {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	d := &Driver{config: config, busy: make(map[string]bool)}
	d.server = grpc.NewServer(grpc.UnaryInterceptor(d.logged))
	spec.RegisterIdentityServer(d.server, &identity{driver: d})
	spec.RegisterNodeServer(d.server, &node{driver: d})
	return d
}

// Serve answers requests until Stop; it closes l.
func (d *Driver) Serve(l net.Listener) error { return d.server.Serve(l) }

// Stop waits for the requests under way and ends Serve. Mounts stay.
func (d *Driver) Stop() { d.server.GracefulStop() }

// logged logs requests that fail. What they contain is not logged: there are secrets in it.
func (d *Driver) logged(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	reply, err := handler(ctx, request)
	if err != nil {
		d.config.Log.Error("request failed", "method", info.FullMethod, "error", err)
	}
	return reply, err
}

// take reserves a directory for one request. The function returned gives it back.
func (d *Driver) take(dir string) (release func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[dir] {
		return nil, status.Errorf(codes.Aborted, "another request for %s is under way", dir)
	}
	d.busy[dir] = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.busy, dir)
	}, nil
}

// identity tells who we are.
type identity struct {
	spec.UnimplementedIdentityServer
	driver *Driver
}

func (i *identity) GetPluginInfo(context.Context, *spec.GetPluginInfoRequest) (*spec.GetPluginInfoResponse, error) {
	return &spec.GetPluginInfoResponse{Name: Name, VendorVersion: i.driver.config.Version}, nil
}

func (i *identity) GetPluginCapabilities(context.Context, *spec.GetPluginCapabilitiesRequest) (*spec.GetPluginCapabilitiesResponse, error) {
	return &spec.GetPluginCapabilitiesResponse{}, nil
}

func (i *identity) Probe(context.Context, *spec.ProbeRequest) (*spec.ProbeResponse, error) {
	return &spec.ProbeResponse{}, nil
}

// node mounts and unmounts.
type node struct {
	spec.UnimplementedNodeServer
	driver *Driver
}

func (n *node) NodeGetInfo(context.Context, *spec.NodeGetInfoRequest) (*spec.NodeGetInfoResponse, error) {
	return &spec.NodeGetInfoResponse{NodeId: n.driver.config.NodeID}, nil
}

func (n *node) NodeGetCapabilities(context.Context, *spec.NodeGetCapabilitiesRequest) (*spec.NodeGetCapabilitiesResponse, error) {
	stats := &spec.NodeServiceCapability_RPC{Type: spec.NodeServiceCapability_RPC_GET_VOLUME_STATS}
	return &spec.NodeGetCapabilitiesResponse{Capabilities: []*spec.NodeServiceCapability{{Type: &spec.NodeServiceCapability_Rpc{Rpc: stats}}}}, nil
}

// NodeGetVolumeStats tells what df tells of a volume that is mounted, without asking the server.
func (n *node) NodeGetVolumeStats(_ context.Context, r *spec.NodeGetVolumeStatsRequest) (*spec.NodeGetVolumeStatsResponse, error) {
	dir := r.GetVolumePath()
	switch {
	case r.GetVolumeId() == "":
		return nil, status.Error(codes.InvalidArgument, "the volume has no id")
	case dir == "":
		return nil, status.Error(codes.InvalidArgument, "there is no volume path")
	case !n.driver.config.Mounted(dir):
		return nil, status.Errorf(codes.NotFound, "no volume is mounted on %s", dir)
	}
	var space syscall.Statfs_t
	if err := syscall.Statfs(dir, &space); err != nil {
		return nil, status.Error(codes.Internal, (&fs.PathError{Op: "statfs", Path: dir, Err: err}).Error())
	}
	unit := uint64(space.Frsize)
	return &spec.NodeGetVolumeStatsResponse{Usage: []*spec.VolumeUsage{{
		Unit:      spec.VolumeUsage_BYTES,
		Total:     int64(space.Blocks * unit),
		Used:      int64((space.Blocks - space.Bfree) * unit),
		Available: int64(space.Bavail * unit),
	}}}, nil
}

// volumeOf reads what is to be mounted from a request.
func volumeOf(r *spec.NodePublishVolumeRequest) (Volume, error) {
	v := Volume{
		URL:      r.GetVolumeContext()["url"],
		Dir:      r.GetTargetPath(),
		Options:  r.GetVolumeCapability().GetMount().GetMountFlags(),
		ReadOnly: r.GetReadonly(),
		User:     r.GetSecrets()["username"],
		Password: r.GetSecrets()["password"],
	}
	switch r.GetVolumeCapability().GetAccessMode().GetMode() {
	case spec.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY, spec.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY:
		v.ReadOnly = true
	}
	scheme, _, _ := strings.Cut(v.URL, "://")
	switch {
	case r.GetVolumeId() == "":
		return v, errors.New("the volume has no id")
	case v.Dir == "":
		return v, errors.New("there is no target path")
	case r.GetVolumeCapability().GetMount() == nil:
		return v, errors.New("a directory of an FTP server is mounted as a file system, not as a block device")
	case r.GetVolumeContext()["csi.storage.k8s.io/ephemeral"] == "true":
		return v, errors.New("volumes of this driver are described by a PersistentVolume, not in a pod")
	case scheme != "ftp" && scheme != "ftps" && scheme != "ftpes":
		return v, errors.New("the volume needs an attribute url, as in ftp://host/dir")
	case tellsPassword(v):
		return v, errors.New("a password does not belong in the url or in mount options, where ps and everybody who may look at volumes can read it: name it password in a secret")
	}
	return v, nil
}

// tellsPassword tells whether there is a password in what is no secret: the URL, or an option
// such as user=NAME:PASSWORD or proxy=URL.
func tellsPassword(v Volume) bool {
	if hasPassword(v.URL) {
		return true
	}
	for _, options := range v.Options {
		for option := range strings.SplitSeq(options, ",") {
			name, value, _ := strings.Cut(option, "=")
			if name == "user" && strings.Contains(value, ":") || hasPassword(value) {
				return true
			}
		}
	}
	return false
}

// hasPassword tells whether a URL has one.
func hasPassword(url string) bool {
	_, rest, _ := strings.Cut(url, "://")
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	return at >= 0 && strings.Contains(authority[:at], ":")
}

// NodePublishVolume makes the target path and mounts the volume there; where one is mounted
// already it does nothing.
func (n *node) NodePublishVolume(ctx context.Context, r *spec.NodePublishVolumeRequest) (*spec.NodePublishVolumeResponse, error) {
	v, err := volumeOf(r)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	release, err := n.driver.take(v.Dir)
	if err != nil {
		return nil, err
	}
	defer release()
	_, err = os.Stat(v.Dir)
	if n.driver.config.Mounted(v.Dir) && !errors.Is(err, syscall.ENOTCONN) {
		return &spec.NodePublishVolumeResponse{}, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(v.Dir, 0o750); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	if err := n.driver.config.Mount(ctx, v); err != nil {
		os.Remove(v.Dir)
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &spec.NodePublishVolumeResponse{}, nil
}

// NodeUnpublishVolume unmounts when all is uploaded, and removes the target path.
func (n *node) NodeUnpublishVolume(ctx context.Context, r *spec.NodeUnpublishVolumeRequest) (*spec.NodeUnpublishVolumeResponse, error) {
	dir := r.GetTargetPath()
	switch {
	case r.GetVolumeId() == "":
		return nil, status.Error(codes.InvalidArgument, "the volume has no id")
	case dir == "":
		return nil, status.Error(codes.InvalidArgument, "there is no target path")
	}
	release, err := n.driver.take(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	if n.driver.config.Mounted(dir) {
		if err := n.driver.config.Unmount(ctx, dir); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &spec.NodeUnpublishVolumeResponse{}, nil
}
