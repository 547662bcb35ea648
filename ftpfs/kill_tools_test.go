package ftpfs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"ftpfs/internal/ftptest"
)

// A victim is a program that works in the mount when the server dies. $SOURCE
// is a local tree of files.
type victim struct {
	name    string
	prepare string
	run     string // fails, as the server dies
	when    moment
	recover string // what a person would do when the server is back; succeeds
}

var victims = []victim{
	{
		name:    "rsync",
		run:     `rsync -a --omit-dir-times "$SOURCE/" rsync`,
		when:    moment{command: "STOR", nth: 20, after: true},
		recover: `rsync -a --omit-dir-times --checksum "$SOURCE/" rsync; diff -r "$SOURCE" rsync`,
	}, {
		name:    "cp",
		run:     `cp -a "$SOURCE" cp`,
		when:    moment{command: "RNTO", nth: 20, after: true},
		recover: `cp -a "$SOURCE/." cp; diff -r "$SOURCE" cp`,
	}, {
		name:    "tar",
		run:     `mkdir tar; tar -c -C "$SOURCE" . | tar -x -C tar`,
		when:    moment{sent: 200_000},
		recover: `tar -c -C "$SOURCE" . | tar -x -C tar; diff -r "$SOURCE" tar`,
	}, {
		name: "git",
		prepare: `git -c init.defaultBranch=main init -q git; cd git; git config user.name tester; git config user.email tester@example.com
			echo one > file; git add .; git commit -q -m first`,
		run:     `cd git; cp "$SOURCE"/dir1/* .; git add .; git commit -q -m second`,
		when:    moment{command: "RNTO", nth: 20},
		recover: `cd git; rm -f .git/*.lock .git/refs/heads/*.lock; git fsck --strict; test "$(git show main:file)" = one; git add .; git commit -q -m third; git fsck --full --strict; test -z "$(git status --porcelain)"`,
	}, {
		name:    "sqlite3",
		prepare: `sqlite3 db 'create table t(a integer primary key, b text); insert into t(b) values (1), (2), (3)'`,
		run:     `sqlite3 db 'insert into t(b) select hex(randomblob(5000)) from t'`,
		when:    moment{command: "RNTO", nth: 2},
		recover: `sqlite3 db 'pragma integrity_check; select count(*) from t where length(b) < 10' > result; test "$(tr '\n' ' ' < result)" = "ok 3 "; sqlite3 db 'insert into t(b) values (4)'`,
	}, {
		name:    "vim",
		prepare: `seq 10000 > text`,
		run:     `vim -es -u NONE -c '%s/^/row /' -c wq text`,
		when:    moment{command: "STOR", after: true},
		recover: `case $(head -n 1 text) in 1) cmp text <(seq 10000);; *) cmp text <(seq -f 'row %.0f' 10000);; esac
			vim -es -u NONE -c '%s/^\(row \)*/line /' -c wq text; cmp text <(seq -f 'line %.0f' 10000)`,
	},
}

// No program hangs, spoils what the server has, or is told something wrong, when
// the server is killed under it; afterwards the same program puts it right.
func TestServerKilledUnderTools(t *testing.T) {
	source := t.TempDir()
	for i := range 60 {
		sub := fmt.Sprintf("%s/dir%d", source, i%4)
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fmt.Sprintf("%s/file%d", sub, i), random(10_000+100*i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range ftptest.RealNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m, k := mountKiller(t, name, nil)
			for _, v := range victims {
				begin := time.Now()
				m.Run(v.prepare)
				dead := k.arm(v.when)
				out, err := start(t, m, "SOURCE='"+source+"'; "+v.run).wait(endsIn)
				died(t, dead)
				if err == nil || regexp.MustCompile(`not permitted|denied|Stale|not empty|File exists`).MatchString(out) {
					t.Errorf("%s: %v\n%s", v.name, err, out)
				}
				ended := time.Since(begin)
				if replica := filepath.Join(server.Root, v.name); v.name == "rsync" || v.name == "cp" || v.name == "tar" {
					onlyWholeFiles(t, replica, source)
				}
				k.revive(t, m)
				m.Run("SOURCE='" + source + "'; " + v.recover)
				t.Logf("%s: ended in %v, put right in %v", v.name, ended.Round(time.Millisecond), time.Since(begin)-ended)
			}
			m.Unmount()
			onServer := func(script string) {
				t.Helper()
				cmd := exec.Command("bash", "-e", "-c", script)
				cmd.Dir = server.Root
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("on the server: %s: %v\n%s", script, err, out)
				}
			}
			for _, replica := range []string{"rsync", "cp", "tar"} {
				onServer("diff -r '" + source + "' " + replica)
			}
			onServer("git -c safe.directory='*' -C git fsck --full --strict; sqlite3 db 'pragma integrity_check'; cmp text <(seq -f 'line %.0f' 10000)")
			onServer(`test -z "$(find . -name '*.conflict-*' -o -name '.ftpfs-*')"`)
		})
	}
}
