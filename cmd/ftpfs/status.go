package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ftpfs/ftpfs"
)

// status is what a mount is doing, as ftpfs status tells it. Sizes are in bytes.
type status struct {
	MountPoint  string            `json:"mountpoint"`
	Source      string            `json:"source"`
	Pid         int               `json:"pid"`
	Version     string            `json:"version"`
	Mounted     time.Time         `json:"mounted"`
	Now         time.Time         `json:"now"`
	Age         float64           `json:"age"` // seconds since it was mounted, also if the clock was set meanwhile
	Server      statusServer      `json:"server"`
	Connections statusConnections `json:"connections"`
	Traffic     statusTraffic     `json:"traffic"`
	Cache       statusCache       `json:"cache"`
	Transfers   []statusTransfer  `json:"transfers"`
	Pending     []statusPending   `json:"pending"`
	Errors      []statusError     `json:"errors"`      // the latest, the oldest of them first
	ErrorCount  int64             `json:"error_count"` // of all
}

type statusServer struct {
	Reached bool   `json:"reached"`
	Greets  string `json:"greets"`
	Mode    string `json:"mode"`     // of data connections; "" as long as none has worked
	TLS     string `json:"tls"`      // version and cipher suite; "" in clear
	ListsBy string `json:"lists_by"` // MLSD, LIST or STAT
	Zone    string `json:"zone"`     // of its clock, "" as long as it is not known or does not matter
}

type statusConnections struct {
	Open   int   `json:"open"`
	Busy   int   `json:"busy"`
	Limit  int   `json:"limit"` // as configured, or as the server allows
	Logins int64 `json:"logins"`
}

type statusTraffic struct {
	In         int64  `json:"in"`
	Out        int64  `json:"out"`
	Transfers  int64  `json:"transfers"` // data connections, also for listings
	RoundTrips int64  `json:"round_trips"`
	Saved      uint64 `json:"round_trips_saved"` // questions answered from listings that were known
}

type statusCache struct {
	Listings  int    `json:"listings"`
	Entries   int    `json:"entries"`
	ListHits  uint64 `json:"listing_hits"`
	ListMiss  uint64 `json:"listing_misses"`
	Bytes     int64  `json:"bytes"`
	Limit     int64  `json:"limit"`
	Files     int    `json:"files"`
	ReadHits  uint64 `json:"read_hits"` // reads of what was here
	ReadWaits uint64 `json:"read_waits"`
	Evictions uint64 `json:"evictions"`
	Dir       string `json:"dir"`
}

// kept tells how much is kept, of how much as was configured; with --cache-size 0 it is what
// memory is used for.
func (c statusCache) kept() string {
	if c.Limit == 0 {
		return size(c.Bytes)
	}
	return size(c.Bytes) + " of " + size(c.Limit)
}

// place tells where it is kept.
func (c statusCache) place() string {
	if c.Limit == 0 {
		return "memory"
	}
	return c.Dir
}

type statusTransfer struct {
	Path   string    `json:"path"`
	Upload bool      `json:"upload"`
	Moved  int64     `json:"moved"`
	Total  int64     `json:"total"` // -1 unknown
	Begun  time.Time `json:"begun"`
	Rate   float64   `json:"rate"` // bytes per second since it began
}

type statusPending struct {
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	Error string `json:"error"` // of the last try
}

// statusOf puts together what the mount of a job tells of itself.
func statusOf(j job, f *flags, begun time.Time, s ftpfs.Status, lately *recent) status {
	now := time.Now()
	errors, count := lately.list()
	st := status{
		MountPoint: j.MountPoint, Source: j.Target.String(), Pid: os.Getpid(), Version: version(), Mounted: begun, Now: now, Age: now.Sub(begun).Seconds(),
		Server: statusServer{Reached: s.Reached, Greets: s.Server.Banner, Mode: s.Server.Mode, TLS: s.Server.TLS, ListsBy: s.Server.ListsBy, Zone: s.Server.Zone},
		Connections: statusConnections{
			Open: s.Client.Open, Busy: s.Client.Open - s.Client.Idle, Limit: s.Client.Limit, Logins: s.Client.Logins,
		},
		Traffic: statusTraffic{
			In: s.Client.BytesIn, Out: s.Client.BytesOut, Transfers: s.Client.Transfers, RoundTrips: s.Client.RoundTrips, Saved: s.Dirs.Hits,
		},
		Cache: statusCache{
			Listings: s.Dirs.Listings, Entries: s.Dirs.Entries, ListHits: s.Dirs.Hits, ListMiss: s.Dirs.Misses,
			Bytes: s.Files.Bytes, Limit: f.cacheSize, Files: s.Files.Files, ReadHits: s.Files.Hits, ReadWaits: s.Files.Waits,
			Evictions: s.Files.Evictions, Dir: f.cacheDir,
		},
		Transfers: []statusTransfer{}, Pending: []statusPending{}, Errors: errors, ErrorCount: count,
	}
	whole := make(map[string]int64)
	for _, p := range s.Pending {
		whole[p.Path] = p.Size
	}
	for _, t := range s.Transfers {
		if n, ok := whole[t.Path]; ok && t.Upload && t.Total < 0 {
			t.Total = n
		}
		seconds := max(now.Sub(t.Begun).Seconds(), 0.001)
		st.Transfers = append(st.Transfers, statusTransfer{Path: t.Path, Upload: t.Upload, Moved: t.Moved, Total: t.Total, Begun: t.Begun, Rate: float64(t.Moved) / seconds})
	}
	for _, p := range s.Pending {
		st.Pending = append(st.Pending, statusPending{Path: p.Path, Size: p.Size, Error: p.Err})
	}
	if st.Errors == nil {
		st.Errors = []statusError{}
	}
	return st
}

func statusCommand() *cobra.Command {
	var asJSON, watch bool
	cmd := &cobra.Command{
		Use:   "status [--json] [--watch] [PATH]",
		Short: "Tell what mounts are doing",
		Long: `Tells of the mount that PATH is in, or of all your mounts, what they are doing: the
server and how it is reached, connections in use, files under way with their rates,
files that the server does not have yet, what the caches hold and how often they were
of use, and the latest errors. The server is not asked.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(exitUsage, "ftpfs status takes one path, as in: ftpfs status /mnt. Without one it tells of all mounts.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			h, out := thisHost(), cmd.OutOrStdout()
			look := func(stderr io.Writer) ([]status, error) { return h.statuses(args, stderr) }
			if watch {
				return watchStatus(out, cmd.ErrOrStderr(), look, asJSON)
			}
			all, err := look(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return showStatus(out, all, asJSON, nil)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, a list with an object for each mount")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "look again each second, until the mounts end or Ctrl-C; on a terminal as a view that q ends")
	return cmd
}

// statuses asks the mount that a path is in, or without one all of this user.
func (h host) statuses(paths []string, stderr io.Writer) ([]status, error) {
	if len(paths) == 1 {
		dir, _, err := h.find(paths[0])
		if err != nil {
			return nil, err
		}
		s, err := h.statusOn(dir)
		return []status{s}, err
	}
	all := []status{}
	for _, m := range h.own() {
		s, err := h.statusOn(m.dir)
		if err != nil {
			fmt.Fprintln(stderr, "ftpfs:", printable(err.Error()))
			continue
		}
		all = append(all, s)
	}
	return all, nil
}

func (h host) statusOn(dir string) (status, error) {
	p, err := h.reach(dir)
	if err != nil {
		return status{}, err
	}
	defer p.conn.Close()
	return p.status()
}

// own lists the mounts of ours that this user may ask about.
func (h host) own() (list []mountEntry) {
	for _, m := range h.mounts() {
		if m.ours() && (h.uid == 0 || m.owner == strconv.Itoa(h.uid)) && h.mounted(m.dir) == m {
			list = append(list, m)
		}
	}
	return list
}

func showStatus(out io.Writer, all []status, asJSON bool, before []status) error {
	if asJSON {
		return printJSON(out, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "Nothing is mounted by ftpfs.")
	}
	for i, s := range all {
		if i > 0 {
			fmt.Fprintln(out)
		}
		io.WriteString(out, s.text(earlier(before, s)))
	}
	return nil
}

// earlier finds what the same mount told before; nil if it told nothing.
func earlier(before []status, s status) *status {
	for i := range before {
		if before[i].MountPoint == s.MountPoint && before[i].Pid == s.Pid {
			return &before[i]
		}
	}
	return nil
}
