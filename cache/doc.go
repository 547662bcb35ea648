// Package cache keeps what is already known about a remote tree.
//
// Dirs holds directory listings by path, in memory: an LRU bounded by the
// total number of entries and by age, with one shared fill per directory,
// whose names can be followed as they come, and the caller's own changes
// applied to it. Files holds the contents of remote
// files by path and version, on the local disk: one sparse file each, with
// the ranges that are present and those that are dirty; an LRU of blocks
// bounded by bytes. A File is one of those contents.
//
// Paths are opaque byte strings with "/" between elements; nothing is
// cleaned. The package knows no network protocol and no file system: it is
// told what the server said, and answers from that.
//
// All methods may be called from any goroutine. What is clean does not survive
// the process: both caches start empty and leave none of it behind after Close.
//
// # What survives
//
// Where FilesConfig.Name is set, each dirty file has a journal beside it, from
// before its first change until Clean. It survives the process, however that
// ends: every write that has returned is found by Resume. A crash of the machine
// may take what was written after the last Sync, and all of a file without one;
// what Sync was called for is found. A journal whose end was cut short by a crash
// ends before that; one that is damaged otherwise, or whose data is, is told of
// and never given back: it stays in the directory for its user to look at.
package cache
