package ftpfs_test

import (
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// Files keep their times to the second on both sides of a server that writes LIST listings
// by a clock of its own, which only vsftpd has to be told.
func TestTimesInOtherZones(t *testing.T) {
	for name, zone := range map[string]string{"pure-ftpd": "America/New_York", "proftpd": "Asia/Kolkata", "vsftpd": "Europe/Berlin"} {
		t.Run(name, func(t *testing.T) {
			server := ftptest.Real(t, name, ftptest.RealOptions{TimeZone: zone})
			config := ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password, ListBy: ftpclient.ListLIST}
			if name == "vsftpd" {
				config.Zone, _ = time.LoadLocation(zone)
			}
			source, back := t.TempDir(), t.TempDir()
			mount := func() *fusetest.Mount {
				return fusetest.Server(t, config, ftpfs.Options{ExactTimes: true})
			}
			m := mount()
			// Now, this year in summer and winter, and years ago.
			m.Run(`cd '` + source + `'
				echo now > now
				for ago in 1 3 40 100 150 200 3000; do echo $ago > days$ago; touch -d "$ago days ago" days$ago; done`)
			m.Run("cp -a '" + source + "' tree")
			m.Unmount()

			times := `find . -type f -printf '%f %Ts\n' | sort`
			m = mount()
			m.Run(`test "$(cd '` + source + `' && ` + times + `)" = "$(cd tree && ` + times + `)"`)
			m.Run(`test "$(cd '` + source + `' && ` + times + `)" = "$(cd '` + server.Root + `/tree' && ` + times + `)"`)
			m.Run(`out=$(rsync -a --omit-dir-times --itemize-changes '` + source + `/' tree/); test -z "$out" || { echo "$out"; exit 1; }`)
			m.Run("cp -a tree '" + back + "/copied'; rsync -a tree/ '" + back + "/synced'")
			for _, way := range []string{"copied", "synced"} {
				m.Run(`test "$(cd '` + source + `' && ` + times + `)" = "$(cd '` + back + "/" + way + `' && ` + times + `)"`)
			}
			m.Unmount()
		})
	}
}
