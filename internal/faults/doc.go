// Package faults breaks the conversation with a server at every point where it can break, and
// looks at what a mount makes of it.
//
// A cell of the matrix is an operation, a stage of the conversation that it needs, and a fault
// that happens there. The stages are not listed by hand: the operation is carried out once on
// a healthy server, and each command that it sent then is a stage before, at its beginning and
// after. Of each cell is asked what package ftpfs promises: that the operation ends in time,
// with the truth or with an errno that says what is the matter; that nothing is sent twice
// which the server may have done; that mount and server agree afterwards, and that nothing is
// left behind.
//
// "go test" tries a sample of the cells, "make test-faults" all of them, and writes
// docs/faults.md.
package faults
