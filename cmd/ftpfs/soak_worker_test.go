package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// soakWorkerEnv makes the test binary one of the programs of a soak: it has the mount, the
// number of the worker, nanoseconds to work and operations to do.
const soakWorkerEnv = "FTPFS_TEST_SOAK_WORKER"

// soakReport is what a worker says in the end: what it has left, by path in the mount.
type soakReport struct {
	Operations int
	Files      map[string]string
}

// A soakWorker works in a directory of its own, and knows what has to be there.
type soakWorker struct {
	mount, dir string
	rng        *rand.Rand
	files      map[string][]byte // by path below dir
	names      int
}

const (
	soakFiles = 30 // a worker has about so many
	soakDirs  = 3
)

func soakWork(task string) error {
	var w soakWorker
	var number uint64
	var nanoseconds time.Duration
	var operations int
	if _, err := fmt.Sscan(task, &w.mount, &number, &nanoseconds, &operations); err != nil {
		return err
	}
	w.dir = filepath.Join(w.mount, fmt.Sprintf("worker%02d", number))
	w.rng = rand.New(rand.NewPCG(number, 7))
	w.files = make(map[string][]byte)
	for i := range soakDirs {
		if err := os.MkdirAll(filepath.Join(w.dir, fmt.Sprintf("d%d", i)), 0o755); err != nil {
			return err
		}
	}
	done := 0
	for begin := time.Now(); (operations == 0 || done < operations) && (nanoseconds == 0 || time.Since(begin) < nanoseconds); done++ {
		if err := w.step(); err != nil {
			return fmt.Errorf("operation %d: %w", done, err)
		}
	}
	for path := range w.files {
		if err := w.read(path); err != nil {
			return fmt.Errorf("in the end: %w", err)
		}
	}
	r := soakReport{Operations: done + len(w.files), Files: make(map[string]string)}
	for path, data := range w.files {
		r.Files[filepath.Join(filepath.Base(w.dir), path)] = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// step does one thing, chosen by chance.
func (w *soakWorker) step() error {
	old := w.any()
	if old == "" {
		return w.save(w.fresh())
	}
	path := filepath.Join(w.dir, old)
	switch n := w.rng.IntN(100); {
	case n < 22 && len(w.files) < 2*soakFiles:
		return w.save(w.fresh())
	case n < 28:
		return w.save(old)
	case n < 36: // as editors save
		temp := w.fresh()
		if err := w.save(temp); err != nil {
			return err
		}
		return w.rename(temp, old)
	case n < 42:
		return w.change(old, os.O_APPEND, int64(len(w.files[old])))
	case n < 46:
		return w.change(old, 0, w.rng.Int64N(int64(len(w.files[old]))+1))
	case n < 68:
		return w.read(old)
	case n < 75:
		info, err := os.Stat(path)
		if err == nil && info.Size() != int64(len(w.files[old])) {
			err = fmt.Errorf("%s has %d bytes instead of %d", old, info.Size(), len(w.files[old]))
		}
		return err
	case n < 83:
		return w.rename(old, w.fresh())
	case n < 90:
		return w.list(filepath.Dir(old))
	case n < 92:
		return w.folder()
	}
	delete(w.files, old)
	return os.Remove(path)
}

// any is some file, "" if there is none.
func (w *soakWorker) any() string {
	if len(w.files) == 0 {
		return ""
	}
	paths := slices.Sorted(maps.Keys(w.files))
	return paths[w.rng.IntN(len(paths))]
}

// fresh is a path that was never used.
func (w *soakWorker) fresh() string {
	w.names++
	name := fmt.Sprintf("file %d", w.names)
	if n := w.rng.IntN(soakDirs + 1); n < soakDirs {
		return filepath.Join(fmt.Sprintf("d%d", n), name)
	}
	return name
}

// data is mostly little.
func (w *soakWorker) data() []byte {
	size := w.rng.IntN(16 << 10)
	if w.rng.IntN(30) == 0 {
		size = w.rng.IntN(400 << 10)
	}
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(w.rng.Uint32())
	}
	return data
}

func (w *soakWorker) save(path string) error {
	data := w.data()
	w.files[path] = data
	return os.WriteFile(filepath.Join(w.dir, path), data, 0o644)
}

// change writes into a file that is there.
func (w *soakWorker) change(path string, flags int, at int64) error {
	f, err := os.OpenFile(filepath.Join(w.dir, path), os.O_WRONLY|flags, 0)
	if err != nil {
		return err
	}
	data := w.data()
	if flags == os.O_APPEND {
		_, err = f.Write(data)
	} else {
		_, err = f.WriteAt(data, at)
	}
	old := w.files[path]
	w.files[path] = slices.Concat(old[:at], data, old[min(len(old), int(at)+len(data)):])
	return errors.Join(err, f.Close())
}

func (w *soakWorker) read(path string) error {
	got, err := os.ReadFile(filepath.Join(w.dir, path))
	if err == nil && !bytes.Equal(got, w.files[path]) {
		err = fmt.Errorf("%s: %d bytes are not the %d that were written", path, len(got), len(w.files[path]))
	}
	return err
}

func (w *soakWorker) rename(from, to string) error {
	w.files[to] = w.files[from]
	delete(w.files, from)
	return os.Rename(filepath.Join(w.dir, from), filepath.Join(w.dir, to))
}

func (w *soakWorker) list(dir string) error {
	entries, err := os.ReadDir(filepath.Join(w.dir, dir))
	if err != nil {
		return err
	}
	var got, want []string
	for _, e := range entries {
		if !e.IsDir() {
			got = append(got, e.Name())
		}
	}
	for path := range w.files {
		if filepath.Dir(path) == dir {
			want = append(want, filepath.Base(path))
		}
	}
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) {
		return fmt.Errorf("%s has %s instead of %s", dir, strings.Join(got, ", "), strings.Join(want, ", "))
	}
	return nil
}

// folder makes a directory, gives it another name and removes it.
func (w *soakWorker) folder() error {
	w.names++
	from, to := filepath.Join(w.dir, fmt.Sprintf("folder %d", w.names)), filepath.Join(w.dir, fmt.Sprintf("renamed %d", w.names))
	if err := os.Mkdir(from, 0o755); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return os.Remove(to)
}
