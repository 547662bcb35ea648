package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

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
