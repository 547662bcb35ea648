package ftpfs

import "time"

// Nodes is the number of nodes that the mount keeps.
func (f *FS) Nodes() int {
	f.nodes.mu.Lock()
	defer f.nodes.mu.Unlock()
	return len(f.nodes.byID)
}

// Late makes the mount believe that a listing was used shortly before it
// expires.
func (f *FS) Late(dir string) { f.renewal.used(dir, time.Now()) }

// Grace sets how long a signal leaves those alone who do not die of it.
func (f *FS) Grace(d time.Duration) {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	f.server.grace = d
}

// Splices tells whether a read was answered without a copy.
func (f *FS) Splices() bool { return f.server.device != nil && len(f.server.device.pipes) > 0 }
