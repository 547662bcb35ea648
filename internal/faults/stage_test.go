package faults

import (
	"slices"
	"strings"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/internal/ftptest"
)

// transfers are the commands that have data, and how much the operations move by them.
var transfers = []string{"RETR", "STOR", "APPE", "LIST", "NLST", "MLSD"}

// ofNew are the commands that an operation waits for on new connections only: on others they are
// sent ahead, if at all, for the next operation.
var ofNew = []string{"AUTH", "PBSZ", "PROT", "USER", "PASS", "OPTS", "TYPE", "FEAT", "PWD", "EPSV", "PASV"}

// stages carries an operation out on a healthy server and returns the points of the
// conversation at which it can be hit. The test fails when the operation does.
func stages(t *testing.T, op operation) []stage {
	all := []stage{
		{name: "connect", point: dialControl, anew: true},
		{name: "greeting", verb: ftptest.Greeting, point: onGreeting, anew: true},
	}
	usual := conversation(t, op, false)
	var transfer string
	for _, verb := range conversation(t, op, true) {
		anew := slices.Contains(ofNew, verb) || !slices.Contains(usual, verb)
		all = append(all, stage{name: "before " + verb, verb: verb, point: onCommand, anew: anew})
		if slices.Contains(transfers, verb) {
			all = append(all, stage{name: "begin of " + verb, verb: verb, point: onBegin})
			transfer = verb
			all = append(all, dataStages(verb, op)...)
		}
		all = append(all, stage{name: "after " + verb, verb: verb, point: onEnd, anew: anew})
	}
	if transfer != "" && op.mode != ftpclient.ModeActive {
		all = append(all, stage{name: "data connect", verb: transfer, point: dialData, anew: true})
	}
	return all
}

// conversation gives the commands of the operation, with those of a login where the
// connections are cut before.
func conversation(t *testing.T, op operation, cut bool) []string {
	w := newWorld(t, op)
	w.begin()
	w.server.Log().Reset()
	if cut {
		w.cut()
	}
	w.mustRun()
	w.settle()
	all := verbs(w.server.Log())
	w.finish()
	return all
}

// dataStages are the points of a transfer's data.
func dataStages(verb string, op operation) []stage {
	first := stage{name: "first byte of " + verb, verb: verb, point: onData}
	at := func(name string, n int64) stage {
		return stage{name: name + " of " + verb, verb: verb, point: onData, bytes: n}
	}
	switch {
	case verb == "RETR":
		size := int64(fileSize)
		if op.file != "" {
			size = int64(len(initial[op.file]))
		}
		return []stage{first, at("middle", size/2), at("last byte", size-1)}
	case verb == "STOR" || verb == "APPE":
		if op.stores == 0 {
			return nil // no data
		}
		return []stage{first, at("middle", op.stores/2), at("last byte", op.stores-1)}
	}
	return []stage{first, at("middle", 60)} // of a listing of some lines
}

// verbs gives the commands in a log, each once. What only keeps connections alive does not count.
func verbs(log *ftptest.Log) []string {
	var all []string
	for _, line := range log.Commands() {
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		if verb != "NOOP" && !slices.Contains(all, verb) {
			all = append(all, verb)
		}
	}
	return all
}
