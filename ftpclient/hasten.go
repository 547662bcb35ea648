package ftpclient

import "errors"

// vsftpd says that it has an upload when it has closed the data connection, and waits in that
// for our confirmation, which takes a round trip. If a reset follows behind the end of our
// data there is nothing to wait for.
//
// Nothing short passes for whole by that. A server takes the end only after all that is before
// it; a reset that overtakes some of it breaks the transfer off (RFC 5961, section 3). But
// what is lost on the way is not sent again by the kernel. Then the server says 426, the
// upload is sent once more, and none is hastened any more.

// maxHastened is how much leaves at once over a new connection: ten segments (RFC 6928) of
// the size that every path bears.
const maxHastened = 12000

// mayHasten tells whether the end of the data may be hastened: all of it has to be here to be
// sent again over what the server has of it. A proxy (which hides IP addresses) may not pass on a
// reset and what is before it in their order.
func (w *Writer) mayHasten() bool {
	return w.unanswered && w.verb == "STOR" && len(w.early) <= maxHastened && w.c.peer.IsValid() && w.client.server.lingers()
}

// endData ends the data, hastened if that is possible. The next passive address is then asked
// for at once: that server reads no command before it has the upload.
func (w *Writer) endData() error {
	half, ok := w.nc.(interface{ CloseWrite() error })
	if w.hastened = ok && w.mayHasten(); !w.hastened {
		return w.c.endUpload(w.nc)
	}
	err := half.CloseWrite()
	reset(w.nc)
	if w.client.server.chains() {
		w.c.chain()
	}
	return err
}

// tooHasty tells whether an upload has failed that was hastened, and has to be sent again.
func (w *Writer) tooHasty(err error) bool {
	if err == nil || !w.hastened {
		return false
	}
	e, refused := errors.AsType[*Error](err)
	if refused && e.Code != 426 {
		return false
	}
	w.client.server.dontHasten()
	return refused && w.c.err == nil
}
