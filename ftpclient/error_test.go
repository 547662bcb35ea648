package ftpclient

import (
	"errors"
	"io"
	"io/fs"
	"testing"
)

func TestKind(t *testing.T) {
	tests := []struct {
		code int
		path string
		text string
		want Kind
	}{
		// vsftpd: no reasons, so nothing may be concluded.
		{550, "/a", "Failed to open file.", KindOther},
		{550, "/a", "Failed to change directory.", KindOther},
		{550, "/a", "Delete operation failed.", KindOther},
		{550, "/a", "Create directory operation failed.", KindOther},
		{550, "/a", "Could not get file size.", KindOther},
		{550, "/a", "Rename failed.", KindOther},
		{553, "/a", "Could not create file.", KindOther},
		{550, "/a", "Permission denied.", KindPermission},
		{530, "", "Login incorrect.", KindLogin},
		{530, "", "Please login with USER and PASS.", KindLogin},
		{421, "", "There are too many connected users, please try later.", KindTooMany},
		{421, "", "Timeout.", KindOther},
		{500, "/a", "Input line too long.", KindNameTooLong},
		{500, "", "Unknown command.", KindUnsupported},
		// proftpd
		{550, "/a", "/a: No such file or directory", KindNotExist},
		{550, "/a", "/a: File exists", KindExist},
		{550, "/a", "/a: Not a directory", KindNotDir},
		{550, "/a", "/a: Directory not empty", KindNotEmpty},
		{550, "/a", "/a: Is a directory", KindIsDir},
		{550, "/a", "/a: Permission denied", KindPermission},
		{550, "/a", "/a: not a regular file", KindIsDir},
		{550, "/a", "/a: File name too long", KindNameTooLong},
		{550, "/a", "/a: Overwrite permission denied", KindPermission},
		{550, "/a", "Rename permission denied", KindPermission},
		{451, "/a", "/a: Append/Restart not permitted, try again", KindPermission},
		{452, "/a", "/a: No space left on device", KindNoSpace},
		{552, "/a", "STOR denied: quota exceeded: used 10.00 of 10.00 upload bytes", KindQuota},
		{425, "", "Unable to build data connection: Operation not permitted", KindOther},
		{530, "", "Sorry, the maximum number of clients (2) for this user are already connected.", KindTooMany},
		{530, "", "Maximum login attempts (3) exceeded, connection refused", KindLogin},
		// pure-ftpd
		{550, "/a", "Sorry, but that file doesn't exist", KindNotExist},
		{550, "/a", "Can't open /a: No such file or directory", KindNotExist},
		{553, "/a", "Can't open that file: Permission denied", KindPermission},
		{550, "/a", "I can only retrieve regular files", KindIsDir},
		{550, "/a", "Could not delete /a: Invalid argument", KindOther},
		{451, "/a", "Rename/move failure: Invalid cross-device link", KindCrossDevice},
		{553, "/a\\b", "Prohibited file name: a\\b", KindInvalid},
		{552, "/a", "Disk full - please upload later", KindNoSpace},
		{421, "", "10 users (the maximum) are already logged in, sorry", KindTooMany},
		{421, "", "Too many connections (8) from this IP", KindTooMany},
		// pyftpdlib
		{550, "/a", "No such file or directory.", KindNotExist},
		{550, "/a", "Not enough privileges.", KindPermission},
		{550, "/a", "/a is not retrievable.", KindOther},
		{550, "/a", "Directory not empty.", KindNotEmpty},
		{500, "", `Command "MFCT" not understood.`, KindUnsupported},
		{426, "/a", "None;", KindOther},
		// ftpserverlib
		{550, "/a", "Could not access file \"/a\": open /a: file does not exist", KindNotExist},
		{550, "/a", "could not delete: remove /a: permission denied", KindPermission},
		{550, "/a", "could not create directory: mkdir /a: file already exists", KindExist},
		// IIS
		{550, "/a", "The system cannot find the file specified. ", KindNotExist},
		{550, "/a", "The system cannot find the path specified. ", KindNotExist},
		{550, "/a", "Access is denied. ", KindPermission},
		{550, "/a", "The directory is not empty. ", KindNotEmpty},
		{550, "/a", "Cannot create a file when that file already exists. ", KindExist},
		{550, "/a", "The process cannot access the file because it is being used by another process. ", KindBusy},
		{452, "/a", "There is not enough space on the disk.", KindNoSpace},
		{530, "", "User cannot log in.", KindLogin},
		// FileZilla
		{550, "/a", "File not found", KindNotExist},
		{550, "/a", `CWD failed. "/a": directory not found.`, KindNotExist},
		{550, "/a", "Directory not empty.", KindNotEmpty},
		{550, "/a", "Directory already exists", KindExist},
		{421, "", "Too many users are connected, please try again later.", KindTooMany},
		// What may mean either.
		{550, "/a", "Requested action not taken. File unavailable (e.g., file not found, no access).", KindOther},
		{550, "/a", "File not found or access denied", KindOther},
		{550, "/a", "File not found or not readable", KindOther},
		{550, "/a", "not a plain file.", KindOther},
		{550, "/a", "Too many levels of symbolic links", KindOther},
		{550, "/a", "", KindOther},
		// A path that reads like a reason.
		{550, "/x/no such file", "/x/no such file: Permission denied", KindPermission},
		{550, "/no such file", "Failed to open /no such file", KindOther},
		{550, "/this or that", "/this or that: No such file or directory", KindNotExist},
		{550, "/File Exists/b", "/File Exists/b: No such file or directory", KindNotExist},
		// Codes that speak for themselves.
		{552, "/a", "Requested file action aborted.", KindQuota},
		{452, "/a", "Requested action not taken.", KindNoSpace},
		{521, "/a", "Taboo", KindExist},
		{502, "", "Pardon?", KindUnsupported},
	}
	for _, tt := range tests {
		err := &Error{Command: "STOR", Path: tt.path, Code: tt.code, Text: tt.text}
		if got := err.Kind(); got != tt.want {
			t.Errorf("%d %q of %q: kind %d, want %d", tt.code, tt.text, tt.path, got, tt.want)
		}
	}
}

// pure-ftpd's one text for whatever stat says; it lists no directory that it may not read.
func TestKindOfPureFTPd(t *testing.T) {
	for verb, want := range map[string]Kind{"SIZE": KindNotExist, "MDTM": KindNotExist, "MLST": KindNotExist, "MLSD": KindOther} {
		err := &Error{Command: verb, Path: "/a", Code: 550, Text: "Can't check for file existence"}
		if got := err.Kind(); got != want {
			t.Errorf("%s: kind %d, want %d", verb, got, want)
		}
	}
}

// The codes of a full server say nothing to commands that store nothing.
func TestKindOfWhatCannotFill(t *testing.T) {
	for _, verb := range []string{"connect", "PASS", "MLSD", "RETR", "DELE"} {
		for _, code := range []int{452, 552} {
			err := &Error{Command: verb, Code: code, Text: "Requested action not taken. Insufficient storage space in system."}
			if got := err.Kind(); got != KindOther {
				t.Errorf("%d to %s: kind %d", code, verb, got)
			}
		}
	}
}

func TestErrorIs(t *testing.T) {
	sentinels := []error{fs.ErrNotExist, fs.ErrPermission, fs.ErrExist, errors.ErrUnsupported}
	texts := []string{"No such file or directory", "Permission denied", "File exists", "not implemented"}
	for i, text := range texts {
		err := error(&Error{Command: "DELE", Path: "/a/b", Code: 550, Text: text})
		for j, sentinel := range sentinels {
			if got := errors.Is(err, sentinel); got != (i == j) {
				t.Errorf("errors.Is(%v, %v) = %v", err, sentinel, got)
			}
		}
	}
}

func TestErrorText(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{&Error{Command: "DELE", Path: "/a/b", Code: 550, Text: "No such file"}, "DELE /a/b: 550 No such file"},
		{&Error{Command: "PASS", Code: 530, Text: "Sorry.\nTry later."}, "PASS: 530 Sorry. Try later."},
		{&LostError{Command: "RNTO", Path: "/b", Err: io.EOF}, "RNTO /b: the connection was lost before the reply, the server may have done it: EOF"},
		{&LostError{Command: "NOOP", Err: io.EOF}, "NOOP: the connection was lost before the reply, the server may have done it: EOF"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
	}
	if !errors.Is(&LostError{Err: io.EOF}, io.EOF) {
		t.Error("LostError hides what ended the connection")
	}
	if (&Error{Code: 550}).Temporary() || !(&Error{Code: 450}).Temporary() {
		t.Error("Temporary: 4xx alone is")
	}
}
