package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// change sends one command that changes something. It is never repeated once the
// server may have done it: the error then is a *LostError.
func (cl *Client) change(ctx context.Context, verb, params, p string) error {
	if err := checkPath(verb, p); err != nil {
		return err
	}
	err := cl.do(ctx, useShort, false, func(c *conn) error {
		arg, err := c.arg(verb, p)
		if err != nil {
			return unchanged(err)
		}
		if verb == "MKD" {
			if arg, err = cl.server.newDir(p, arg); err != nil {
				return err
			}
		}
		replies, err := c.exchange(command{verb, params + arg})
		if err != nil {
			return err
		}
		if !replies[0].ok() {
			return refusal(verb, p, replies[0])
		}
		return nil
	})
	return lost(verb, p, err)
}

// unchanged marks the loss of a connection before anything was sent that changes
// something.
func unchanged(err error) error {
	if ce, ok := errors.AsType[*connError](err); ok {
		ce.safe = true
	}
	return err
}

// Delete removes a file or a symbolic link.
func (cl *Client) Delete(ctx context.Context, path string) error {
	return cl.change(ctx, "DELE", "", path)
}

// MakeDir makes a directory.
func (cl *Client) MakeDir(ctx context.Context, path string) error {
	return cl.change(ctx, "MKD", "", path)
}

// RemoveDir removes an empty directory, and on some servers any directory: see
// RefusesFullDirs.
func (cl *Client) RemoveDir(ctx context.Context, path string) error {
	err := cl.change(ctx, "RMD", "", path)
	if e, ok := errors.AsType[*Error](err); ok && e.Kind() == KindNotEmpty {
		cl.server.learn(&cl.server.sparing, Yes)
	}
	return err
}

// RefusesFullDirs tells whether RemoveDir refuses a directory that is not empty, as RFC 959
// does not say: Yes from the server's greeting or since it has refused one. Some servers
// remove it with all that is in it.
func (cl *Client) RefusesFullDirs() Capability { return cl.server.can(&cl.server.sparing) }

// Rename moves a file or directory, in one write of RNFR and RNTO. Most servers replace
// an existing file.
func (cl *Client) Rename(ctx context.Context, from, to string) error {
	if err := checkPaths("RNFR", from, to); err != nil {
		return err
	}
	err := cl.do(ctx, useShort, false, func(c *conn) error {
		if err := cl.server.checkNew("RNTO", to); err != nil {
			return err
		}
		args, err := c.args("RNFR", from, to)
		if err != nil {
			return unchanged(err)
		}
		replies, err := c.exchange(command{"RNFR", args[0]}, command{"RNTO", args[1]})
		if err != nil {
			return err
		}
		return renamed(from, to, replies)
	})
	return lost("RNTO", to, err)
}

// renamed reads the replies to RNFR and RNTO.
func renamed(from, to string, replies []reply) error {
	if replies[0].refused() {
		return refusal("RNFR", from, replies[0])
	}
	if !replies[1].ok() {
		return refusal("RNTO", to, replies[1])
	}
	return nil
}

// setTimeForm is the way to set a file's time.
type setTimeForm uint8

const (
	setTimeUnknown setTimeForm = iota
	setTimeMFMT                // MFMT YYYYMMDDHHMMSS path
	setTimeMDTM                // MDTM YYYYMMDDHHMMSS path
	setTimeUTIME               // SITE UTIME path atime mtime ctime UTC
	setTimeNone
)

// command sets a time; mdtm is the zone of times in MDTM.
func (f setTimeForm) command(arg string, t time.Time, mdtm *time.Location) command {
	at := formatTime(t)
	switch f {
	case setTimeMFMT:
		return command{"MFMT", at + " " + arg}
	case setTimeUTIME:
		return command{"SITE UTIME", fmt.Sprintf("%s %s %s %s UTC", arg, at, at, at)}
	}
	return command{"MDTM", t.In(mdtm).Format(timeLayout) + " " + arg}
}

// timeForms lists the forms to try, and whether the first is known to work.
func (s *serverInfo) timeForms() (forms []setTimeForm, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.setTime {
	case setTimeUnknown:
		if s.noMDTM {
			return []setTimeForm{setTimeUTIME}, false
		}
		return []setTimeForm{setTimeMDTM, setTimeUTIME}, false
	case setTimeNone:
		return nil, false
	}
	return []setTimeForm{s.setTime}, true
}

func (s *serverInfo) learnTime(f setTimeForm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setTime = f
}

// unlearnTime notes that a form was refused for a file that exists and is ours.
func (s *serverInfo) unlearnTime(f setTimeForm, r reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.setTime == setTimeUnknown && f == setTimeMDTM:
		s.noMDTM = true
	case s.setTime == setTimeUnknown:
		s.setTime = setTimeNone
	case r.code == 500 || r.code == 502:
		s.setTime = setTimeUnknown
	}
}

// SetModTime sets a file's time, in whole seconds, by MFMT, else MDTM with a time, else
// SITE UTIME; which one works is remembered. errors.ErrUnsupported if none does.
func (cl *Client) SetModTime(ctx context.Context, path string, t time.Time) error {
	if !sayable(t) {
		return fmt.Errorf("set time of %s to the year %d: %w", path, t.Year(), errors.ErrUnsupported)
	}
	if err := cl.Connect(ctx); err != nil {
		return failed("MFMT", path, err)
	}
	forms, known := cl.server.timeForms()
	var refused error
	for _, f := range forms {
		err := cl.setTime(ctx, path, t, f)
		if err == nil {
			cl.server.learnTime(f)
			return nil
		}
		e, ok := errors.AsType[*Error](err)
		if !ok || known || e.Code < 500 || e.Kind() == KindPermission {
			return err
		}
		if e.Kind() != KindUnsupported && refused == nil {
			refused = err
		}
	}
	if refused != nil {
		// A server without the command may have looked for a file with the time in
		// its name.
		if _, err := cl.ModTime(ctx, path); err != nil || !errors.Is(refused, fs.ErrNotExist) {
			return refused
		}
	}
	cl.server.learnTime(setTimeNone)
	return fmt.Errorf("set time of %s: %w", path, errors.ErrUnsupported)
}

// setTime may be repeated: the outcome is the same.
func (cl *Client) setTime(ctx context.Context, p string, t time.Time, f setTimeForm) error {
	verb := f.command("", t, time.UTC).verb
	if err := checkPath(verb, p); err != nil {
		return err
	}
	err := cl.do(ctx, useShort, true, func(c *conn) error {
		arg, err := c.arg(verb, p)
		if err != nil {
			return err
		}
		replies, err := c.exchange(f.command(arg, t, cl.mdtmZone()))
		if err != nil {
			return err
		}
		if !replies[0].ok() {
			return refusal(verb, p, replies[0])
		}
		return nil
	})
	return failed(verb, p, err)
}

// CanSetModTime tells what is known of SetModTime.
func (cl *Client) CanSetModTime() Capability {
	s := &cl.server
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.setTime {
	case setTimeUnknown:
		return Unknown
	case setTimeNone:
		return No
	}
	return Yes
}

// Chmod sets permissions by MFF where the server has it, else by SITE CHMOD with four
// octal digits; other forms set mode 0 on some servers.
func (cl *Client) Chmod(ctx context.Context, path string, mode fs.FileMode) error {
	if cl.CanChmod() == No {
		return fmt.Errorf("set permissions of %s: %w", path, errors.ErrUnsupported)
	}
	verb, params := cl.server.chmodCommand(mode)
	err := cl.change(ctx, verb, params, path)
	cl.learnChmod(err)
	return err
}

func (cl *Client) learnChmod(err error) {
	e, refused := errors.AsType[*Error](err)
	refused = refused && e.Code >= 500 && e.Kind() == KindUnsupported
	s := &cl.server
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.chmod, s.chmodded = Yes, true
	case refused && !s.chmodded:
		s.chmod = No
	}
}

// CanChmod tells what is known of Chmod.
func (cl *Client) CanChmod() Capability { return cl.server.can(&cl.server.chmod) }

func octal(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return fmt.Sprintf("%04o", bits)
}
