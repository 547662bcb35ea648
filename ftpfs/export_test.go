package ftpfs

// Nodes is the number of nodes that the mount keeps.
func (f *FS) Nodes() int {
	f.nodes.mu.Lock()
	defer f.nodes.mu.Unlock()
	return len(f.nodes.byID)
}
