package ftpclient

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Error is the server's refusal of one command.
type Error struct {
	Command string // the verb alone
	Path    string // the path it concerned, "" if none
	Code    int    // of the reply
	Text    string // of the reply, without the code
	Late    bool   // the transfer had begun before, and broke off: it is no verdict on the path
}

func (e *Error) Error() string {
	text := strings.ReplaceAll(e.Text, "\n", " ")
	if e.Code != 0 { // 0: refused before anything was sent
		text = fmt.Sprintf("%d %s", e.Code, text)
	}
	if e.Path == "" {
		return e.Command + ": " + text
	}
	return e.Command + " " + e.Path + ": " + text
}

// Temporary reports whether the same command may succeed later: by its code (RFC 959
// section 4.2.1), or since it had succeeded as far as part of the data.
func (e *Error) Temporary() bool { return e.Late || e.Code >= 400 && e.Code < 500 }

// Is answers errors.Is for fs.ErrNotExist, fs.ErrPermission, fs.ErrExist and
// errors.ErrUnsupported.
func (e *Error) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Kind() == KindNotExist
	case fs.ErrPermission:
		return e.Kind() == KindPermission
	case fs.ErrExist:
		return e.Kind() == KindExist
	case errors.ErrUnsupported:
		return e.Kind() == KindUnsupported
	}
	return false
}

// LostError says that the connection was lost after a command that changes something
// had been sent and before its reply: the server may or may not have done it.
type LostError struct {
	Command string // the verb alone
	Path    string
	Err     error // what ended the connection
}

func (e *LostError) Error() string {
	command := e.Command
	if e.Path != "" {
		command += " " + e.Path
	}
	return command + ": the connection was lost before the reply, the server may have done it: " + e.Err.Error()
}

func (e *LostError) Unwrap() error { return e.Err }

// Kind is the reason of a refusal, as far as code and text tell it.
type Kind uint8

const (
	KindOther       Kind = iota // the server gives no usable reason
	KindNotExist                // no such file or directory
	KindPermission              // not allowed
	KindExist                   // exists already
	KindNotEmpty                // directory not empty
	KindNotDir                  // not a directory
	KindIsDir                   // a directory, where a file is wanted
	KindNoSpace                 // disk full
	KindQuota                   // quota exceeded
	KindNameTooLong             // name or command line too long
	KindCrossDevice             // rename across devices
	KindBusy                    // in use
	KindTooMany                 // too many connections
	KindLogin                   // not logged in, or login refused
	KindUnsupported             // command or option unknown to the server
	KindInvalid                 // a name or argument that cannot be: mostly refused before sending
)

// Kind classifies the refusal. Codes are too coarse (550 says many things), so the text
// counts; a text that may mean several things is KindOther.
func (e *Error) Kind() Kind {
	text := strings.ToLower(e.Text)
	// The text mostly repeats the path, whose elements may read like a reason.
	for element := range strings.SplitSeq(strings.ToLower(e.Path), "/") {
		if kindOf(0, element) != KindOther || strings.Contains(element, eitherWay) {
			text = strings.ReplaceAll(text, element, "")
		}
	}
	if strings.TrimSpace(text) == statFailed && e.Command != "MLSD" {
		return KindNotExist
	}
	if (e.Code == 452 || e.Code == 552) && !e.stores() {
		return kindOf(0, text)
	}
	return kindOf(e.Code, text)
}

// stores tells whether the command could fill the server: to any other one the codes for that
// say nothing.
func (e *Error) stores() bool {
	switch e.Command {
	case "STOR", "APPE", "MKD", "RNTO", "SITE SYMLINK":
		return true
	}
	return false
}

// statFailed is what pure-ftpd says if stat fails, mostly since there is no such file; to
// MLSD also of a directory that it may not read.
const statFailed = "can't check for file existence"

const eitherWay = " or "

// kindOf takes the first entry of the table that matches. "Not found or no permission"
// is taken for neither.
func kindOf(code int, text string) Kind {
	for _, k := range kinds {
		if k.code != 0 && k.code != code || !strings.Contains(text, k.text) {
			continue
		}
		either := strings.Contains(strings.ReplaceAll(text, "file or directory", ""), eitherWay)
		if either && (k.kind == KindNotExist || k.kind == KindPermission) {
			return KindOther
		}
		return k.kind
	}
	return KindOther
}

// kinds is the one table of reasons: code (0 any), part of the text in lower case ("" any).
// Order matters: what is ambiguous first, absence after all other reasons, codes that
// speak for themselves last.
var kinds = []struct {
	code int
	text string
	kind Kind
}{
	// Logins and connections. 425 concerns the data connection, whatever its errno.
	{425, "", KindOther},
	{421, "login attempts", KindOther},
	{421, "too many", KindTooMany},
	{421, "maximum", KindTooMany},
	{421, "connection limit", KindTooMany},
	{421, "session limit", KindTooMany},
	{421, "already connected", KindTooMany},
	{421, "", KindOther},
	{530, "login attempts", KindLogin},
	{530, "too many", KindTooMany},
	{530, "maximum", KindTooMany},
	{530, "connection limit", KindTooMany},
	{530, "session limit", KindTooMany},
	{530, "already connected", KindTooMany},
	{530, "", KindLogin},
	{332, "", KindLogin},
	{430, "", KindLogin},
	{532, "", KindLogin},

	// RFC 959's own words: "File unavailable (e.g., file not found, no access)".
	{0, "no access)", KindOther},
	{0, "unavailable (e.g", KindOther},

	{0, "no space left", KindNoSpace},
	{0, "disk full", KindNoSpace},
	{0, "disk is full", KindNoSpace},
	{0, "not enough space", KindNoSpace},
	{0, "insufficient disk space", KindNoSpace},
	{0, "quota exceeded", KindQuota},
	{0, "quota limit", KindQuota},
	{0, "over quota", KindQuota},

	{0, "directory not empty", KindNotEmpty},
	{0, "directory is not empty", KindNotEmpty},
	{0, "folder not empty", KindNotEmpty},
	{0, "file exists", KindExist},
	{0, "already exists", KindExist},
	{0, "not a directory", KindNotDir},
	{0, "directory name is invalid", KindNotDir}, // IIS
	{0, "is a directory", KindIsDir},
	{0, "not a regular file", KindIsDir},                 // proftpd
	{0, "only retrieve regular files", KindIsDir},        // pure-ftpd
	{0, "file name too long", KindNameTooLong},           // strerror
	{0, "filename too long", KindNameTooLong},            // the same
	{0, "filename or extension is too", KindNameTooLong}, // IIS
	{0, "line too long", KindNameTooLong},                // vsftpd, pure-ftpd
	{0, "command too long", KindNameTooLong},             // pyftpdlib
	{0, "cross-device link", KindCrossDevice},
	{0, "different disk drive", KindCrossDevice}, // IIS
	{0, "resource busy", KindBusy},
	{0, "text file busy", KindBusy},
	{0, "used by another process", KindBusy}, // IIS
	{0, "prohibited file name", KindInvalid}, // pure-ftpd
	{0, "invalid file name", KindInvalid},
	{0, "illegal file name", KindInvalid},

	{0, "not supported", KindUnsupported},
	{0, "not implemented", KindUnsupported},
	{0, "unknown command", KindUnsupported},
	{0, "not understood", KindUnsupported},

	{0, "permission denied", KindPermission},
	{0, "access denied", KindPermission},
	{0, "access is denied", KindPermission},
	{0, "operation not permitted", KindPermission},
	{0, "restart not permitted", KindPermission}, // proftpd without AllowStoreRestart
	{0, "not enough privileges", KindPermission}, // pyftpdlib
	{0, "read-only file system", KindPermission},
	{0, "forbidden", KindPermission}, // proftpd's PathDenyFilter

	{0, "no such file", KindNotExist},
	{0, "no such directory", KindNotExist},
	{0, "file does not exist", KindNotExist},
	{0, "file doesn't exist", KindNotExist}, // pure-ftpd
	{0, "directory does not exist", KindNotExist},
	{0, "path does not exist", KindNotExist},
	{0, "file not found", KindNotExist},
	{0, "directory not found", KindNotExist},
	{0, "path not found", KindNotExist},
	{0, "cannot find the file specified", KindNotExist}, // IIS
	{0, "cannot find the path specified", KindNotExist}, // IIS

	{452, "", KindNoSpace},
	{552, "", KindQuota},
	{521, "", KindExist}, // to MKD
	{500, "", KindUnsupported},
	{502, "", KindUnsupported},
	{504, "", KindUnsupported},
}
