package ftpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"
)

// Commit says what becomes of an uploaded file.
type Commit struct {
	Path    string      // the name it gets; what is there is replaced. "": it keeps its own
	ModTime time.Time   // zero: as the server has set it
	Mode    fs.FileMode // permissions, setuid, setgid and sticky
	HasMode bool        // set Mode
}

// Commit ends the file like Close, then in one write on the same connection sets its
// time and permissions, renames it to its final name and asks for its size, and for its
// time if it could not be set. The rename decides: if it is refused the error is the
// server's and the file keeps its temporary name. A size that is not that of the bytes
// written is an error, and so are other bytes if Config.Verify is set (ErrMismatch). That time or permissions could not be set is none: see
// CanSetModTime and CanChmod.
//
// The entry has size and time as the server has them. After Append the size is that of the
// whole file, for the caller to judge. If the connection is lost the error is a *LostError
// with Command RNTO: the file may have been renamed, or STOR or APPE: it was not.
func (w *Writer) Commit(ctx context.Context, k Commit) (Entry, error) {
	if k.Path != "" {
		err := checkPath("RNTO", k.Path)
		if err == nil {
			err = w.client.server.checkNew("RNTO", k.Path)
		}
		if err != nil {
			w.Abort() // what the caller does about it may need the connection
			return Entry{}, err
		}
	}
	if w.err != nil {
		return Entry{}, w.err
	}
	if !w.begin() {
		return Entry{}, w.errAborted()
	}
	defer w.finish()
	if err := w.complete(ctx); err != nil {
		return Entry{}, err
	}
	defer w.c.watch(ctx)()
	if err := w.verify(ctx); err != nil {
		return Entry{}, err
	}
	return w.publish(k)
}

// publication is the write that follows an upload: which reply is whose.
type publication struct {
	cmds                                  []command
	setTime, chmod, rename, size, modTime int
	form                                  setTimeForm
	spare                                 int
	mode                                  Mode // of the spare data connection
}

func (b *publication) add(k command) int {
	b.cmds = append(b.cmds, k)
	return len(b.cmds) - 1
}

// publication makes the write for a file at stored, which becomes final; the same if it is
// not to be renamed.
func (w *Writer) publication(stored, final string, k Commit) *publication {
	b := &publication{setTime: -1, chmod: -1, rename: -1, modTime: -1, spare: -1}
	forms, known := w.client.server.timeForms()
	if len(forms) > 0 && !k.ModTime.IsZero() && sayable(k.ModTime) {
		b.form = forms[0]
		b.setTime = b.add(b.form.command(stored, k.ModTime, w.client.mdtmZone()))
	}
	if k.HasMode && w.client.CanChmod() != No {
		verb, params := w.client.server.chmodCommand(k.Mode)
		b.chmod = b.add(command{verb, params + stored})
	}
	if k.Path != "" {
		b.rename = b.add(command{"RNFR", stored})
		b.add(command{"RNTO", final})
	}
	b.size = b.add(command{"SIZE", final})
	if b.setTime < 0 || !known || !w.client.server.keepsSeconds() {
		b.modTime = b.add(command{"MDTM", final})
	}
	// The next transfer's data connection costs no round trip here.
	if b.mode = w.c.wantsSpare(); b.mode != ModeAuto {
		b.spare = b.add(passiveCommand(b.mode))
	}
	return b
}

func (w *Writer) publish(k Commit) (Entry, error) {
	final := cmp.Or(k.Path, w.path)
	args, err := w.c.args("RNFR", w.path, final)
	if err != nil {
		return Entry{}, failed("RNFR", w.path, err)
	}
	b := w.publication(args[0], args[1], k)
	replies, err := w.c.exchange(b.cmds...)
	if b.spare >= 0 && len(replies) > b.spare {
		w.c.keepSpare(b.mode, replies[b.spare])
	}
	verb := w.verb
	if b.rename >= 0 {
		verb = "RNTO"
		if len(replies) <= b.rename+1 {
			return Entry{}, lost(verb, final, err)
		}
		if err := renamed(w.path, final, replies[b.rename:]); err != nil {
			return Entry{}, err
		}
	}
	if err != nil {
		return Entry{}, lost(verb, final, err)
	}
	e := Entry{Name: path.Base(final)}
	if e.Size, err = w.checkSize(replies[b.size], final); err != nil {
		return Entry{}, err
	}
	if b.chmod >= 0 {
		e.HasMode = w.noteChmod(replies[b.chmod])
		if e.HasMode {
			e.Mode = k.Mode
		}
	}
	timeSet := b.setTime >= 0 && w.noteTime(b.form, k.ModTime, replies[b.setTime])
	if b.modTime >= 0 {
		e.ModTime, e.Precision, _ = w.client.timeOf(replies[b.modTime], final)
	}
	switch {
	case timeSet:
		set := k.ModTime.UTC().Truncate(time.Second)
		w.client.server.noteSeconds(set, e.ModTime)
		if e.ModTime.Sub(set).Abs() > roughest {
			e.ModTime, e.Precision = set, time.Second
		}
	case b.modTime < 0:
		if replies, err := w.c.exchange(command{"MDTM", args[1]}); err == nil {
			e.ModTime, e.Precision, _ = w.client.timeOf(replies[0], final)
		}
	}
	return e, nil
}

// checkSize compares the size that the server tells with the bytes sent. A server
// without SIZE has at least acknowledged them.
func (w *Writer) checkSize(r reply, p string) (int64, error) {
	n, err := sizeOf(r, p)
	switch {
	case errors.Is(err, errors.ErrUnsupported) && w.whole():
		return w.count, nil
	case err != nil:
		return -1, err
	case n != w.count && w.whole():
		w.client.server.dontHasten() // whatever there is on the way
		return n, fmt.Errorf("%s %s: the server has %d bytes of %d: %w", w.verb, p, n, w.count, io.ErrShortWrite)
	}
	return n, nil
}

// roughest is how far the time that a file gets may be from the one that was set. What is told
// beyond that is something else, such as a local time.
const roughest = time.Minute

// keepsSeconds tells whether a file has the time that it was given, to the second: on FAT
// it has one of two seconds.
func (s *serverInfo) keepsSeconds() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seconds
}

// noteSeconds is told of a time that was set, and the one that the server told then.
func (s *serverInfo) noteSeconds(set, told time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seconds = s.seconds || set.Unix()%2 == 1 && set.Equal(told.Truncate(time.Second))
}

// noteTime remembers whether the way to set a time works, given that the file exists
// and is ours. That a time is refused which some file systems cannot keep says nothing.
func (w *Writer) noteTime(f setTimeForm, t time.Time, r reply) bool {
	s := &w.client.server
	if r.ok() {
		s.learnTime(f)
		return true
	}
	w.client.cfg.Logger.Debug("time not set", "path", w.path, "reply", r.shown())
	if r.code >= 500 && usual(t) {
		s.unlearnTime(f, r)
	}
	return false
}

func (w *Writer) noteChmod(r reply) bool {
	var err error
	if !r.ok() {
		w.client.cfg.Logger.Debug("permissions not set", "path", w.path, "reply", r.shown())
		err = refusal("SITE CHMOD", w.path, r)
	}
	w.client.learnChmod(err)
	return r.ok()
}
