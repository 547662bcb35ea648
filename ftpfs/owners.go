package ftpfs

import (
	"os/user"
	"strconv"
	"sync"

	"ftpfs/ftpclient"
)

// maxOwners bounds the names that are looked up: a listing could have as many as files.
const maxOwners = 1000

// owners are the numbers that the server's users and groups have here.
type owners struct {
	mu            sync.RWMutex
	users, groups map[string]owner
}

type owner struct {
	id    uint32
	known bool // there is one of that name here
}

func newOwners() *owners {
	return &owners{users: make(map[string]owner), groups: make(map[string]owner)}
}

// learn looks up who owns entries, in what may take its time.
func (o *owners) learn(entries []ftpclient.Entry) {
	for _, e := range entries {
		o.find(o.users, e.Owner, userID)
		o.find(o.groups, e.Group, groupID)
	}
}

func (o *owners) find(known map[string]owner, name string, lookUp func(string) string) {
	o.mu.RLock()
	_, done := known[name]
	done = done || len(known) >= maxOwners
	o.mu.RUnlock()
	if done || name == "" {
		return
	}
	id, here := number(name)
	if !here {
		id, here = number(lookUp(name))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	known[name] = owner{id, here}
}

// of returns the owner of e, or those given where it is nobody known. It does not block.
func (o *owners) of(e ftpclient.Entry, uid, gid uint32) (uint32, uint32) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if u := o.users[e.Owner]; u.known {
		uid = u.id
	}
	if g := o.groups[e.Group]; g.known {
		gid = g.id
	}
	return uid, gid
}

// number reads a user's or group's. The highest one means none.
func number(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n != 1<<32-1
}

func userID(name string) string {
	u, err := user.Lookup(name)
	if err != nil {
		return ""
	}
	return u.Uid
}

func groupID(name string) string {
	g, err := user.LookupGroup(name)
	if err != nil {
		return ""
	}
	return g.Gid
}
