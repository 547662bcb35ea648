package main

const ceilingCommand = "serve-ceiling"

// ceilingContestant is what FUSE allows without a server behind: see serveCeiling.
var ceilingContestant = contestant{
	name: ceiling, about: "a bazil.org/fuse file system in memory", apart: true,
	mount: func(j mountJob) mountBy { return mountBy{args: []string{ceilingCommand, j.local, j.dir}} },
}
