package ftpfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// saves are the ways in which programs store what is dear to their users.
const saves = `
# vim, with a backup beside and without, then a rename over the file
printf 'one\ntwo\n' > text
vim -u NONE -N -es -c 'set backupskip= backup' -c '%s/one/ONE/' -c 'wq' text < /dev/null
vim -u NONE -N -es -c 'set nobackup nowritebackup' -c '$s/two/TWO/' -c 'wq' text < /dev/null
test "$(cat text)" = "$(printf 'ONE\nTWO')"
test "$(cat text~)" = "$(printf 'one\ntwo')"
sed -i s/ONE/1/ text
test "$(cat text)" = "$(printf '1\nTWO')"

# a lock file, a new file beside the old one, the old one away, the new one in its place
touch -d '2001-01-01 UTC' document; chmod 640 document
echo lock > .~lock.document#
head -c 300000 /dev/zero > lu1.tmp; sync lu1.tmp
mv document document.bak; mv lu1.tmp document; chmod 640 document; rm document.bak .~lock.document#
test $(stat -c %s,%a document) = 300000,640

# delivery into a maildir, and a mail that is read
mkdir -p mail/tmp mail/new mail/cur
for i in 1 2 3 4 5; do
	echo "mail $i" > mail/tmp/$i; sync mail/tmp/$i
	mv -n mail/tmp/$i mail/new/$i
done
mv mail/new/1 mail/cur/1:2,S
test "$(cat mail/new/* mail/cur/* | sort)" = "$(printf 'mail %s\n' 1 2 3 4 5)"

# a database with a log of what is to be written, by two connections
sqlite3 db 'pragma journal_mode=wal; create table t(a integer primary key, b text)' > /dev/null
for i in $(seq 20); do echo "insert into t(b) values (hex(randomblob(1000)));"; done | sqlite3 db
sqlite3 db 'begin; update t set b = a; select count(*) from t; commit; pragma wal_checkpoint; insert into t(b) values (3)' > /dev/null
test "$(sqlite3 db 'pragma integrity_check; select count(*), max(length(b)) from t')" = "$(printf 'ok\n21|2')"

# a database with a journal that is deleted, cut or emptied
for mode in delete truncate persist; do
	sqlite3 ledger "pragma journal_mode=$mode; create table if not exists t(a); insert into t values ('$mode'); begin; insert into t values (1); rollback" > /dev/null
done
test "$(sqlite3 ledger 'pragma integrity_check; select group_concat(a) from t')" = "$(printf 'ok\ndelete,truncate,persist')"

# emacs: the old file becomes the backup, the new one takes its name
printf 'old\n' > notes; mv notes notes~; printf 'new\n' > notes; sync notes; printf 'newer\n' > notes; sync notes
test "$(cat notes notes~)" = "$(printf 'newer\nold')"

# glib: a new file with a name of its own, which is renamed before it is closed
python3 -c '
import os
for text in b"one\n", b"two, longer\n":
	f = os.open(".goutputstream-A1B2C3", os.O_CREAT|os.O_EXCL|os.O_RDWR, 0o644)
	os.write(f, text)
	os.fsync(f)
	if os.path.exists("glib"):
		os.rename("glib", "glib~")
	os.rename(".goutputstream-A1B2C3", "glib")
	os.close(f)
'
test "$(cat glib glib~)" = "$(printf 'two, longer\none')"

# LibreOffice where it cannot rename: the new bytes over the old ones, shorter than they
head -c 100000 /dev/zero > sheet; printf 'a sheet' 1<> sheet; truncate -s 7 sheet
test "$(cat sheet)" = 'a sheet'

# git: commits, and all of them in one file
git -c init.defaultBranch=main init -q repo
for i in 1 2 3; do
	echo $i > repo/file; git -C repo add file
	git -C repo -c user.name=tester -c user.email=tester@example.com commit -q -m "change $i"
done
git -C repo gc -q --prune=now; git -C repo fsck --full --strict
test "$(git -C repo log --format=%s | tr '\n' ' ')" = 'change 3 change 2 change 1 '

# rsync: new, changed, in place, and what was interrupted
mkdir source; for i in $(seq 30); do head -c $((i * 1000)) /dev/zero > source/$i; done
rsync -a source/ copy; echo more >> source/7; rsync -a source/ copy; diff -r source copy
echo end >> source/8; rsync -a --inplace --no-whole-file source/ copy; diff -r source copy
head -c 500 source/30 > copy/30; rsync -a --append-verify source/ copy; diff -r source copy
`

// Whoever saves files in the ways of editors, mail and databases finds them in
// the mount and on the server.
func TestSaves(t *testing.T) {
	for _, name := range []string{"vsftpd", "pure-ftpd"} {
		for how, opts := range map[string]ftpfs.Options{"close waits": {}, "behind": behind} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				server := ftptest.Real(t, name, ftptest.RealOptions{})
				m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}, opts)
				m.Run(saves)
				m.Unmount()
				m.Dir = server.Root
				m.Run(`test "$(cat text)" = "$(printf '1\nTWO')"
test "$(cat mail/new/* mail/cur/* | sort)" = "$(printf 'mail %s\n' 1 2 3 4 5)"
git -c safe.directory='*' -C repo fsck --full --strict; test "$(cat notes notes~ glib glib~ sheet)" = "$(printf 'newer\nold\ntwo, longer\none\na sheet')"
test "$(sqlite3 ledger 'pragma integrity_check; select group_concat(a) from t')" = "$(printf 'ok\ndelete,truncate,persist')"
diff -r source copy; test "$(sqlite3 db 'pragma integrity_check; select count(*) from t')" = "$(printf 'ok\n21')"`)
				left, err := filepath.Glob(server.Root + "/.ftpfs-*")
				if err != nil || len(left) > 0 {
					t.Errorf("left on the server: %q (%v)", left, err)
				}
			})
		}
	}
}

// hugeEnv makes TestHugeFile write that many MiB.
const hugeEnv = "FTPFS_HUGE_MIB"

// A file larger than the cache is written, changed and read.
func TestHugeFile(t *testing.T) {
	t.Parallel()
	size := "40"
	if s := os.Getenv(hugeEnv); s != "" {
		size = s
	}
	server := ftptest.Real(t, "vsftpd", ftptest.RealOptions{})
	m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}, ftpfs.Options{CacheBytes: 8 << 20})
	m.Run(`set +o pipefail; yes 'some words that fill a line' | head -c ` + size + `M > huge
yes 'some words that fill a line' | head -c ` + size + `M | cmp - huge
echo tail >> huge; printf X | dd of=huge bs=1 seek=20000000 conv=notrunc status=none
test "$(tail -c 5 huge)" = tail; test "$(tail -c +20000001 huge | head -c 1)" = X`)
	m.Unmount()
	m.Dir = server.Root
	m.Run(`set +o pipefail; test $(stat -c %s huge) = $((` + size + ` * 1048576 + 5)); yes 'some words that fill a line' | head -c ` + size + `M | cmp - huge 2>&1 | grep -q 'byte 20000001'`)
}
