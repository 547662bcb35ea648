package ftpfs

// Appending wants the end of the file as the server has it now: where the whole
// file is uploaded, that would undo what others have appended since the listing;
// opening (refresh) sees to that. The kernel, too, appends at the end that it
// remembers.

// append stores p at the end. kernel is where the kernel believes that to be:
// when it is wrong its pages are, too.
func (f *FS) append(h *handle, p []byte, kernel int64) (int, error) {
	if h.content.file.Size() != kernel {
		f.nodes.distrust(h.node)
		f.notifier.pages(h.node)
	}
	return h.content.append(p)
}
