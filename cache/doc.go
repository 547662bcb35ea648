// Package cache keeps what is already known about a remote tree.
//
// Dirs holds directory listings by path, in memory: an LRU bounded by the total
// number of entries and by age, with one shared fill per directory, whose entries
// can be followed, and found, as they come, and the caller's own changes applied
// to it. Files holds the contents of remote files by path and version, on the local
// disk, or in memory where there is none that can be used: one sparse file each,
// with the ranges that are present and those that are dirty; an LRU of blocks
// bounded by bytes. A File is one of those contents.
//
// Paths are opaque byte strings with "/" between elements; nothing is
// cleaned. The package knows no network protocol and no file system: it is
// told what the server said, and answers from that.
//
// All methods may be called from any goroutine.
//
// # What survives
//
// Listings do not survive the process. Where FilesConfig.Name is set, contents
// do, in a directory ftpfs-tree-HASH-N that one process at a time holds a lock
// on; a second one on the same tree gets another N, and what it leaves dirty
// moves to the next. A directory holds, and only these are ever removed:
//
//	f1, f2, …   a local file each: the bytes, sparse
//	j1, j2, …   the journals of those that are dirty
//	index       what is clean: path, version, ranges, a checksum for each block;
//	            index.new while it is written anew
//	lock
//
// What is clean is found by Open under its path, size and time. Each block is
// compared with its checksum before it is first used: what is damaged is absent,
// and never served. Nothing of this is synced to the disk, and the index need not
// be true to the last line.
//
// Each dirty file has a journal beside it, from before its first change until
// Clean. It survives the process, however that ends: every write that has
// returned is found by Resume. A crash of the machine may take what was written
// after the last Sync; what Sync was called for is found, and a file without one
// stays in the directory. Of a block that has no checksum there, only what is dirty is believed; the
// rest is absent. A journal whose end was cut short by a crash ends before that; one that
// is damaged otherwise, or whose data is, is told of and never given back: it
// stays in the directory for its user to look at.
package cache
