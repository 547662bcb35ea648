// Package ftpfs makes a remote FTP server a file system, by FUSE.
//
// Mount connects a ftpclient.Client with a directory; the FS that it returns
// serves until it is unmounted.
//
// # Nouns
//
//   - node: what the kernel knows by a number, a file, directory or link; it
//     keeps its number and its identity through renames.
//   - tree: names and attributes, answered from cached directory listings and
//     changed by FTP commands.
//   - gate: holds requests until the server's root directory is known.
//   - walker: recognises programs that go through the tree, and lists
//     directories ahead of them.
//   - prefetcher: recognises programs that read small files one after another,
//     and fetches the next ones.
//   - revalidator: fetches listings that are in use anew before they expire.
//   - content: the bytes of one file while it is open or not yet uploaded, in
//     a sparse local file with the ranges that are present and dirty.
//   - stream: one RETR that fills a content from an offset onward, a bounded
//     window ahead of its readers.
//   - device: the kernel's end of the mount, to which what is in a local file goes
//     without a copy.
//   - crew: several streams that work for one reader, while that is faster.
//   - ending: the last bytes of a large file, which idle connections bring while the
//     stream at its start comes up to its speed.
//   - sender: one STOR, or more, that follow a program which writes a new file.
//   - upload: one STOR under a temporary name, then one write with the rename
//     to the real name; or one APPE of the tail of a file that only grew.
//
// # Semantics
//
// Attributes and names are as old as the listing they come from, at most
// Options.DirTTL; changes made through the mount are seen at once, those that
// others make after Refresh or when the listing has expired. Who opens a file
// gets what the server had some two seconds before, or later; in a directory with
// thousands of entries, two seconds more for each thousand. The names in a directory
// can be read, and its files found, while its listing still arrives; if that breaks off,
// readdir(3) fails. A file is
// written locally and published by close(2) or fsync(2), which return the
// server's verdict: until then the server has the old file, and never half of
// the new one. An empty one of which the program has another descriptor waits
// for what is written by that. A large file that only grew is the exception: the server appends
// what is new, as soon as it is published, and others see the file grow, as they
// do a local one; what was written with O_APPEND comes behind what others have
// appended meanwhile. With Options.WriteBack a close does not wait for any of
// that, and its verdict is Status's. A failed upload keeps its data and is tried again until it
// succeeds or the file system is unmounted. If somebody else has stored another
// version by then, that one stays, and ours goes beside it as
// NAME.conflict-TIME, or as much of it as is known here.
//
// An unlinked file that is still open stays readable. Who reads or changes a
// part of a file that somebody else replaced gets ESTALE rather than a mixture
// of both, from some two seconds after the replacement; but when another program
// reads the new version here, the kernel gives its pages to both. A longer version whose bytes
// at the end of what is here are the same goes on where the shorter one ended, as a
// log does. A file that ends before the size that the server tells is that short. What FTP
// has no word for is refused with EPERM: hard links, device nodes, a foreign
// owner, and most symbolic links: only some servers make them, only with a
// relative target inside the mount that exists. A link leads to the same place as on
// the server, by a relative target; one that leads out of the mount cannot be read (EPERM),
// since the same path is something else here. Times of directories
// are kept for the life of the mount where the server cannot hold them.
//
// Everything belongs to Options.UID and GID, unless MapOwners shows the server's owners.
// Directories count no links, and take no blocks. Inode numbers are the same in every mount: where the server tells device and
// inode of a file, by its unique fact, they go with the file under all its names,
// else with the name. What has several names is shown as one link all the same,
// since copying programs would want to make another.
//
// An outage is EIO, ETIMEDOUT or EHOSTUNREACH, never ENOENT. A signal frees a
// waiting caller, at once if it is the end of it, else after a short grace; but a
// change that has been sent to the server is carried to its end behind it. Nobody can
// interrupt a program that has begun to exit by itself, which closes its files.
//
// # Locks
//
// Who holds one of these may take only those below it:
//
//	gate.turn        one try at a time to reach the server's root directory
//	content.upload   one upload, rename, removal, resize or change of attributes of a file at a time
//	unlinked.turn    who moves or deletes what is left on the server of an unlinked file
//	node.opening     one content of a file is made or given up at a time
//	uploads.disk     a file that waits is made durable
//	content.noting   one note of a file goes into its journal at a time
//	dirHandle.mu     the entries of an open directory; the cache may be asked under it
//	uploads.mu       the files that wait for another try
//	prefetcher.mu    what is read in order; as walker.mu
//	walker.mu        what is walked; the cache and the pool may be asked under it
//	revalidator.mu   what is listed anew; as walker.mu
//	nodes.mu         names, parents and numbers of all nodes
//	moves.mu         the renames of directories under way
//	streams.mu       the streams of one file
//	content.mu       the state of one file
//	sender.mu        how far one file was sent
//
// Of two files, the upload lock of the node with the lower number comes first.
// The first three are held across the network, and a waiter may leave; node.opening, uploads.disk and
// content.noting are held across the local disk. Under streams.mu and content.mu the cache may be asked
// what it has. Who holds one of the others (temps, pace, space, owners, handles, server, reader,
// notifier) takes none.
//
// The tree, the contents, the streams and the uploads know nothing of the kernel, and import no
// bazil.org/fuse; what does unpacks requests, calls and answers.
package ftpfs
