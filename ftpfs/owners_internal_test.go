package ftpfs

import (
	"fmt"
	"testing"

	"ftpfs/ftpclient"
)

func TestOwnersByName(t *testing.T) {
	o := newOwners()
	entries := []ftpclient.Entry{
		{Owner: "daemon", Group: "no such group"}, {Owner: "123", Group: "4294967295"}, {Owner: "no such user", Group: "daemon"}, {Owner: "-1", Group: "99999999999"}, {},
	}
	o.learn(entries)
	for i, want := range [][2]uint32{{1, 8}, {123, 8}, {7, 1}, {7, 8}, {7, 8}} {
		if uid, gid := o.of(entries[i], 7, 8); uid != want[0] || gid != want[1] {
			t.Errorf("%+v is shown as %d, %d", entries[i], uid, gid)
		}
	}
	var many []ftpclient.Entry
	for i := range 2 * maxOwners {
		many = append(many, ftpclient.Entry{Owner: fmt.Sprint(i)})
	}
	if o.learn(many); len(o.users) > maxOwners {
		t.Errorf("%d names are remembered", len(o.users))
	}
}

// Who finds a file before its listing is whole sees its owner.
func TestOwnersOfWhatComesFirst(t *testing.T) {
	tr := &tree{owners: newOwners()}
	for _, e := range tr.glimpse([]ftpclient.Entry{{Name: "a", Owner: "root", Group: "23"}}) {
		if uid, gid := tr.owners.of(*e.Entry, 7, 7); uid != 0 || gid != 23 {
			t.Error(uid, gid)
		}
	}
}
