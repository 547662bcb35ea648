package ftpfs

import (
	"bytes"
	"encoding/binary"
	"reflect"

	"bazil.org/fuse"
)

// renameat2(2) reaches a FUSE server as an opcode of its own, which the wire
// layer does not decode. Its bytes are still there, and reading them is all
// that is needed for RENAME_NOREPLACE.
const (
	opRename2        = 45
	renameNoReplace  = 1
	rename2HeaderLen = 40 // fuse_in_header
	rename2BodyLen   = 16 // fuse_rename2_in: u64 newdir, u32 flags, u32 padding
)

// parseRename2 returns what is to be renamed and the flags. ok is false when
// the request cannot be read, which the caller answers with ENOSYS: the kernel
// then refuses flags itself and never sends the opcode again.
func parseRename2(r *fuse.UnrecognizedRequest) (newDir uint64, flags uint32, oldName, newName string, ok bool) {
	message := reflect.ValueOf(&r.Header).Elem().FieldByName("msg")
	if message.Kind() != reflect.Pointer || message.IsNil() || message.Elem().Kind() != reflect.Struct {
		return
	}
	field := message.Elem().FieldByName("buf")
	if field.Kind() != reflect.Slice || field.Type().Elem().Kind() != reflect.Uint8 {
		return
	}
	buf := field.Bytes()
	if len(buf) < rename2HeaderLen+rename2BodyLen {
		return
	}
	body := buf[rename2HeaderLen:]
	names := bytes.Split(body[rename2BodyLen:], []byte{0})
	if len(names) < 2 || len(names[0]) == 0 || len(names[1]) == 0 {
		return
	}
	return binary.NativeEndian.Uint64(body), binary.NativeEndian.Uint32(body[8:]), string(names[0]), string(names[1]), true
}
