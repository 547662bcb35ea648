package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/dialer"
)

// job is a mount to make: all that the daemon has to know.
type job struct {
	Target         target
	User, Password string // "" = anonymous
	MountPoint     string // absolute
	Settings       []setting
}

// mounted is a mount that answers.
type mounted interface {
	Gone() <-chan struct{}         // closed when it is unmounted; uploads may still go
	Wait() error                   // until it is unmounted and all is put away
	Unmount(context.Context) error // finishes uploads; at once when the context ends
	Refresh(ctx context.Context, path string) error
	ClearCache(context.Context) error
	VerifyCache(context.Context) (ftpfs.Verified, error)
	Status() ftpfs.Status
}

type mountFunc func(context.Context, job, *slog.Logger) (mounted, error)

// mountCommand makes the mount of one command line.
func (p *program) mountCommand(f *flags, given *pflag.FlagSet, address, dir string, stderr io.Writer) error {
	j, err := prepareJob(f, given, address, dir, stderr)
	if err != nil {
		return err
	}
	if !f.foreground && !f.debug {
		return spawn(j, stderr)
	}
	log, closeLog, err := openLog(f, stderr)
	if err != nil {
		return err
	}
	defer closeLog()
	return p.serve(j, log, func() error {
		log.Info("mounted", "source", j.Target.String(), "on", j.MountPoint)
		tellSystemd()
		return nil
	})
}

// prepareJob makes sure that all is there for the mount of one command line, and asks for
// what is missing.
func prepareJob(f *flags, given *pflag.FlagSet, address, dir string, stderr io.Writer) (j job, err error) {
	t, err := f.resolve(given, address, os.Getenv)
	if err != nil {
		return j, err
	}
	if err := f.check(); err != nil {
		return j, err
	}
	if err := f.tls.secure(&t, given); err != nil {
		return j, err
	}
	h := thisHost()
	if err := h.checkFuse(f.allowOther); err != nil {
		return j, err
	}
	j.Target = t
	if j.MountPoint, err = h.checkMountPoint(dir); err != nil {
		return j, err
	}
	if f.cacheDir, err = filepath.Abs(f.cacheDir); err != nil {
		return j, fail(exitUsage, "The cache directory %s cannot be found: %w.", f.cacheDir, err)
	}
	if inside(f.cacheDir, j.MountPoint) {
		return j, fail(exitUsage, "The cache directory %s is inside the mount point: choose another one by --cache-dir.", f.cacheDir)
	}
	// The daemon works in another directory and perhaps with another $HOME.
	given.Set("cache-dir", f.cacheDir)
	if f.logFile != "" {
		if f.logFile, err = filepath.Abs(f.logFile); err != nil {
			return j, fail(exitUsage, "The log file cannot be found: %w.", err)
		}
		given.Set("log-file", f.logFile)
	}
	if j.User, j.Password, err = systemSources(stderr).credentials(t, f); err != nil {
		return j, err
	}
	if err := f.route(os.Getenv, t.addr()); err != nil {
		return j, err
	}
	given.Set("proxy", f.proxy) // which the daemon does not look for
	j.Target.User, j.Target.Password = j.User, ""
	j.Settings = settings(given)
	return j, nil
}

// inside tells whether name is dir or below it.
func inside(name, dir string) bool {
	rel, err := filepath.Rel(dir, name)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

const (
	// doubled is how long after the first signal another is taken for the same: sudo,
	// timeout and others pass on what the terminal has sent to all.
	doubled = 300 * time.Millisecond
	// patience is how long a mount that has been told to end at once may take.
	patience = 2 * time.Second
)

// serve mounts, calls ready, and returns when the mount has ended. A first signal
// unmounts and finishes uploads, a second one ends at once.
func (p *program) serve(j job, log *slog.Logger, ready func() error) error {
	conceal()
	limitGarbage()
	makePlaces()
	signals := endSignals()
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var lately recent
	log = slog.New(lately.collect(log.Handler()))
	f, err := flagsOf(j.Settings)
	if err != nil {
		return err
	}
	meter, err := listenMetrics(f.metrics)
	if err != nil {
		return err
	}
	defer meter.Close()

	var m mounted
	mounting := make(chan struct{})
	go func() {
		m, err = p.mount(ctx, j, log)
		close(mounting)
	}()
	select {
	case <-mounting:
	case <-signals:
		cancel()
		select {
		case <-mounting:
		case <-signals:
			return errInterrupted
		}
		if err == nil {
			m.Unmount(ctx)
			m.Wait()
		}
		return errInterrupted
	}
	if err != nil {
		return err
	}
	begun := time.Now()
	now := func() status { return statusOf(j, f, begun, m.Status(), &lately) }
	c := listen(thisHost().mounted(j.MountPoint), m.Gone(), answers{refresh: m.Refresh, clear: m.ClearCache, verify: m.VerifyCache, status: now}, log)
	meter.serve(now, log)
	stop := onHangup(func() {
		log.Info("looking at the server anew")
		within, cancel := context.WithTimeout(ctx, refreshTime)
		defer cancel()
		m.Refresh(within, "")
	})
	defer func() { cancel(); stop() }()
	if err = ready(); err != nil {
		m.Unmount(ctx)
		m.Wait()
	} else {
		err = waitFor(m, signals, log)
	}
	c.end(err)
	return err
}

var errInterrupted = fail(exitUnmount, "Interrupted before the mount was made.")

func waitFor(m mounted, signals <-chan os.Signal, log *slog.Logger) error {
	done := make(chan error, 1)
	go func() { done <- m.Wait() }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	select {
	case err := <-done:
		return ended(err)
	case <-signals:
	}
	log.Info("unmounting when uploads are finished and no program uses the mount; a second signal ends at once")
	unmounted := make(chan error, 1)
	go func() {
		err := m.Unmount(ctx)
		<-done
		unmounted <- err
	}()
	for first := time.Now(); ; {
		select {
		case err := <-unmounted:
			return ended(err)
		case <-signals:
		}
		if time.Since(first) > doubled {
			break
		}
	}
	cancel()
	select {
	case err := <-unmounted:
		return ended(err)
	case <-time.After(patience):
		return fail(exitUnmount, "The mount was left at once: what has not been uploaded is kept, and uploaded when the same directory is mounted again.")
	}
}

func ended(err error) error {
	if err != nil {
		return fail(exitUnmount, "The mount ended with an error: %w.", phrase{err})
	}
	return nil
}

// ftpMount is a mount with its client.
type ftpMount struct {
	*ftpfs.FS
	client *ftpclient.Client
}

func (m *ftpMount) Wait() error {
	err := m.FS.Wait()
	m.client.Close()
	return err
}

// mountServer is the mountFunc of the program.
func mountServer(ctx context.Context, j job, log *slog.Logger) (mounted, error) {
	var trace func(ftpclient.TraceLine)
	if log.Enabled(ctx, slog.LevelDebug) {
		trace = func(l ftpclient.TraceLine) {
			log.Debug("ftp", "conn", l.Conn, "line", conversation(l))
		}
	}
	m, err := openMount(ctx, j, log, trace)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// conversation writes a line of a control connection with the direction it went.
func conversation(l ftpclient.TraceLine) string {
	if l.Sent {
		return "> " + l.Line
	}
	return "< " + l.Line
}

// openMount connects to the server and mounts it.
func openMount(ctx context.Context, j job, log *slog.Logger, trace func(ftpclient.TraceLine)) (*ftpMount, error) {
	f, err := flagsOf(j.Settings)
	if err != nil {
		return nil, err
	}
	config, err := f.config(j.Target, j.User, j.Password)
	if err != nil {
		return nil, err
	}
	config.Logger, config.Trace = log, trace
	client, err := ftpclient.New(config)
	if err != nil {
		return nil, fail(exitUsage, "This cannot be mounted: %w.", err)
	}
	root := j.Target.Dir
	if !f.delayConnect {
		if err := client.Connect(ctx); err != nil {
			client.Close()
			return nil, explainConnect(err, j, f)
		}
		if f.verify && len(client.Checksums()) == 0 {
			log.Warn("the server has no checksums: every uploaded file is read back to verify it")
		}
		root = j.Target.root(client.Root())
	}
	fs, err := ftpfs.Mount(client, j.MountPoint, ftpfs.Options{
		Root:               root,
		Delay:              f.delayConnect,
		DirTTL:             f.dirCacheTTL,
		DirEntries:         f.dirCacheEntries,
		CacheDir:           f.cacheDir,
		CacheName:          cacheName(j.Target, j.User, f),
		CacheBytes:         cacheBytes(f.cacheSize),
		Parallel:           f.parallel,
		InPlace:            f.noTemp,
		WriteBack:          f.writeBack,
		Capacity:           f.capacity,
		Xattr:              f.xattr,
		ReadOnly:           f.readOnly,
		UID:                f.uid,
		GID:                f.gid,
		MapOwners:          f.mapOwners,
		Umask:              f.umask,
		FileUmask:          f.fmask,
		DirUmask:           f.dmask,
		AllowOther:         f.allowOther,
		DefaultPermissions: f.defaultPermissions,
		FSName:             cmp.Or(f.fsname, j.Target.String()),
		Patience:           2 * f.timeout,
		ExactTimes:         f.exactTimes,
		FollowSymlinks:     f.followSymlinks,
		Logger:             log,
		TraceFUSE:          f.debug,
	})
	if err != nil {
		client.Close()
		return nil, explainMount(err, j, root)
	}
	return &ftpMount{FS: fs, client: client}, nil
}

// cacheBytes is what Options say for --cache-size.
func cacheBytes(size int64) int64 {
	if size == 0 {
		return -1
	}
	return size
}

// cacheName tells the contents of one server's directory, as one user sees it,
// from others: a name may be another host behind a proxy, and a host be several.
func cacheName(t target, user string, f *flags) string {
	name := user + "@" + t.addr() + "/" + t.Dir
	if f.virtualHost != "" {
		name += " host " + f.virtualHost
	}
	if f.proxy != "" && f.proxy != noProxy {
		if p, err := dialer.ParseProxy(f.proxy); err == nil {
			name += " by " + p.String()
		}
	}
	return name
}

// flagsOf is the reverse of settings.
func flagsOf(all []setting) (*flags, error) {
	var f flags
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.registerSettings(set)
	for _, s := range all {
		if err := set.Set(s.Name, s.Value); err != nil {
			return nil, fail(exitUsage, "The option %s=%s is wrong: %w.", s.Name, s.Value, cause(err))
		}
	}
	return &f, nil
}
