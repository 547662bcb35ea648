package cache

// DirsStats is a snapshot of a Dirs.
type DirsStats struct {
	Listings  int    // cached now
	Entries   int    // in them, an empty listing counting as one
	Filling   int    // fills under way
	Hits      uint64 // lookups, snapshots and loads answered from the cache
	Misses    uint64 // those that were not
	Fills     uint64 // fills started
	Joined    uint64 // loads that joined a fill under way
	Evictions uint64 // listings evicted for the bound
}

// Stats returns the present figures.
func (d *Dirs[E]) Stats() DirsStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.stats
	st.Listings, st.Entries = d.lru.Len(), d.entries
	for _, fills := range d.flying {
		st.Filling += len(fills)
	}
	return st
}

// FilesStats is a snapshot of a Files.
type FilesStats struct {
	Files       int    // in the cache or held
	Descriptors int    // of local files, open now
	Blocks      int    // with data, or awaited
	Bytes       int64  // what they count against the bound
	DirtyFiles  int    // with changes that the server lacks
	DirtyBytes  int64  // of them, with gaps that take no room
	Hits        uint64 // block reads that found all present
	Waits       uint64 // those that had to wait
	Evictions   uint64 // blocks evicted
	Damaged     uint64 // blocks left by another process that were found to be damaged
}

// Stats returns the present figures.
func (s *Files) Stats() FilesStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := FilesStats{
		Files:       len(s.live),
		Descriptors: s.descriptors,
		Bytes:       s.used,
		Hits:        s.hits,
		Waits:       s.waits,
		Evictions:   s.evictions,
		Damaged:     s.damaged,
	}
	for f := range s.live {
		st.Blocks += len(f.blocks)
		if f.gen != f.clean {
			st.DirtyFiles++
			st.DirtyBytes += f.dirty.total()
		}
	}
	return st
}
