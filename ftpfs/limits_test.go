package ftpfs_test

import (
	"fmt"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// busy is what 8 programs do at a time, each in a directory of its own. Some of it wants more
// connections than it gets, some gives up a transfer in its middle.
const busy = `
work() {
	mkdir "$1"
	for i in 1 2 3; do
		echo "$1 $i" >"$1/new"
		test "$(cat "$1/new")" = "$1 $i"
		mv "$1/new" "$1/$i"
		head -c 1000 large | cmp -n 1000 - large
	done
	rm "$1/2"
	test "$(ls "$1" | tr '\n' ' ')" = "1 3 "
	dd if=large bs=64k skip=$((RANDOM % 30)) count=1 status=none | wc -c | grep -qx 65536
}
for p in 1 2 3 4 5 6 7 8; do work "dir$p" & jobs="${jobs-} $!"; done
for j in $jobs; do wait "$j"; done
cmp large <(cat large)
rm -r dir*
`

// However few connections a server allows, and however it refuses another one, the mount does
// with what it gets: nothing fails, and after it has learned the limit it does not try its luck.
func TestServersThatLimitConnections(t *testing.T) {
	for _, limit := range []int{1, 2, 5} {
		for _, name := range ftptest.RealNames {
			for _, opts := range []ftptest.RealOptions{{MaxClients: limit}, {MaxPerAddr: limit}} {
				what := "in all"
				if opts.MaxPerAddr > 0 {
					what = "per address"
				}
				t.Run(fmt.Sprintf("%s/%d %s", name, limit, what), func(t *testing.T) {
					t.Parallel()
					real := ftptest.Real(t, name, opts)
					put(t, real, map[string][]byte{"large": random(2 << 20)})
					proxy := ftptest.Start(t, ftptest.Options{Upstream: real.Addr, User: real.User, Password: real.Password})
					doWithin(t, proxy, limit)
				})
			}
		}
		for excess, what := range map[ftptest.Excess]string{ftptest.AtGreeting: "421 at the greeting", ftptest.AtLogin: "530 at the login", ftptest.Unheard: "no word"} {
			t.Run(fmt.Sprintf("embedded/%d, %s", limit, what), func(t *testing.T) {
				t.Parallel()
				server := ftptest.Start(t, ftptest.Options{})
				if err := afero.WriteFile(server.Fs(), "/large", random(2<<20), 0o644); err != nil {
					t.Fatal(err)
				}
				server.Limit(limit, excess)
				doWithin(t, server, limit)
			})
		}
	}
}

// doWithin lets 8 programs work on a server that allows so many connections.
func doWithin(t *testing.T, server *ftptest.Embedded, limit int) {
	t.Helper()
	m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr(), User: "user", Password: "secret"}, ftpfs.Options{})
	m.Run(busy)
	// A dial that meets no word is repeated once, step by step.
	if n := server.Connected(); n > 2*limit+8 {
		t.Errorf("%d connections were opened", n)
	}
}
