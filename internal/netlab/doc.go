// Package netlab makes a network of two sides with a link between them that has a given
// round-trip time, rate, loss and queue. It is what measurements run on.
//
// A Lab has two Sides, Server and Client. Each is a network namespace without a name: nothing but
// open files and the processes inside keep it, so that nothing is left behind, also when the process
// that made the lab is killed.
package netlab
