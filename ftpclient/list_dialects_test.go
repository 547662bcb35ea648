package ftpclient

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// shown is an entry in short: type, size, time, name, target.
func shown(e Entry) string {
	when := "unknown"
	if !e.ModTime.IsZero() {
		when = e.ModTime.Format("2006-01-02 15:04:05.999") + " " + e.Precision.String()
	}
	s := fmt.Sprintf("%.1s %d %s %q", e.Type, e.Size, when, e.Name)
	if e.Target != "" {
		s += " -> " + e.Target
	}
	return s
}

// Whole listings, as servers of each kind write them.
func TestDialects(t *testing.T) {
	for _, tt := range []struct {
		name, listing string
		want          string // one line for each entry; what is not understood follows "?"
	}{
		{"EPLF", `
+i8388621.48594,m825718503,r,s280,	djb.html
+i8388621.50690,m824255907,/,	514
+i8388621.48598,m824253270,r,s612,up644,	 blank and	tab
+/,	.
+,	neither`, `
f 280 1996-03-01 22:15:03 1s "djb.html"
d -1 1996-02-13 23:58:27 1s "514"
f 612 1996-02-13 23:14:30 1s " blank and\ttab"
o -1 unknown "neither"`},
		{"MacWebStar", `
-------r--         326  1391972  1392298 Nov 22  1995 MegaPhone.sit
drwxrwxr-x               folder        2 May 10  1996 network
-rw-r--r--        0      108767   108767 Jul 22 14:51  leading
drwxr-xr-x    123       folder        0 Jan  4 14:49 Steak`, `
f -1 1995-11-22 00:00:00 24h0m0s "MegaPhone.sit"
d -1 1996-05-10 00:00:00 24h0m0s "network"
f 108767 2026-07-22 14:51:00 1m0s " leading"
d -1 2026-01-04 14:49:00 1m0s "Steak"`},
		{"Unix", `
total 30
 131084    8 -rw-r--r--    1 root     root         5120000000 Mar  2 15:13  both 
4 -rw-r--r-- 1 root root 3 Mar  2 15:13 blocks alone
drwxr-xr-x    2 root     root         4096 Mar  2 15:13 dir/
lrwxrwxrwx    1 root     other          7 Jan 25 00:17 bin -> usr/bin
-rw-r--r--    1 root     root     5 2026-03-02 15:13 long-iso
-rw-r--r--    1 root     root     5 2026-03-02 15:13:07.123456789 +0130 full-iso
-rw-r--r--    1 root     root     5 03-02 15:13 iso
-rw-r--r--    1 root     root     5 2003-03-02  iso, old
-rw-r--r--    1 root     root     5 1999/10/12 17:12 slashes
-rw-r--r--    1 root     root     5 24-04-2003 17:12 day first
-rw-r--r--    1 root     root     5 04-05-2003 17:12 either way
-rw-r--r--    1 root     root     5 Mar  2 15:13:08 2003 ls -T
-rw-r--r--    1 user group        9 Oct 08, 2002 09:47 VShell
crw-r-----    1 root     kmem     0, 27 Jan 30 11:42 kmem
-rw-r--r--@   1 root     wheel    5 Mar  2 15:13 +.@
ls: hidden: Permission denied`, `
f 5120000000 2026-03-02 15:13:00 1m0s " both "
f 3 2026-03-02 15:13:00 1m0s "blocks alone"
d 4096 2026-03-02 15:13:00 1m0s "dir"
s 7 2026-01-25 00:17:00 1m0s "bin" -> usr/bin
f 5 2026-03-02 15:13:00 1m0s "long-iso"
f 5 2026-03-02 13:43:07.123 1ns "full-iso"
f 5 2026-03-02 15:13:00 1m0s "iso"
f 5 2003-03-02 00:00:00 24h0m0s "iso, old"
f 5 1999-10-12 17:12:00 1m0s "slashes"
f 5 2003-04-24 17:12:00 1m0s "day first"
f 5 unknown "either way"
f 5 2003-03-02 15:13:08 1s "ls -T"
f 9 2002-10-08 09:47:00 1m0s "VShell"
o -1 2026-01-30 11:42:00 1m0s "kmem"
f 5 2026-03-02 15:13:00 1m0s "+.@"
? ls: hidden: Permission denied`},
		{"Unix in other languages", `
insgesamt 12
dr-xr-xr-x   2 root     other      2235 26. Juli, 20:10 deutsch
-r-xr-xr-x   2 root     other      2235 2.   Okt.  2003 deutsch
-r-xr-xr-x   2 root     other      2235 2 mär 15:13 UTF-8
` + "-r-xr-xr-x   2 root     other      2235 2 M\xe4r 15:13 Latin-1" + `
-r-xr-xr-x   2 root     other      2235 févr.  3 2003 français
-r-xr-xr-x   2 root     other      2235  3 фев  2003 по-русски
-r-xr-xr-x   2 root     other      2235 2003年 3月 20日 日本語
` + "-rw-r--r--   1 root       sys           8473  4\x8c\x8e 18\x93\xfa 2003\x94\x4e Shift-JIS" + `
` + "-rwxrwxrwx   1 root     staff          0 2003   3\xed\xef 20 other" + `
-r-xr-xr-x   2 root     other      2235 lis  3 2003 Polish or Croatian`, `
d 2235 2026-07-26 20:10:00 1m0s "deutsch"
f 2235 2003-10-02 00:00:00 24h0m0s "deutsch"
f 2235 2026-03-02 15:13:00 1m0s "UTF-8"
f 2235 2026-03-02 15:13:00 1m0s "Latin-1"
f 2235 2003-02-03 00:00:00 24h0m0s "français"
f 2235 2003-02-03 00:00:00 24h0m0s "по-русски"
f 2235 2003-03-20 00:00:00 24h0m0s "日本語"
f 8473 2003-04-18 00:00:00 24h0m0s "Shift-JIS"
f 0 2003-03-20 00:00:00 24h0m0s "other"
f 2235 unknown "Polish or Croatian"`},
		{"DOS", `
04-27-00  12:09PM       <DIR>          DOS dir
04-14-2000  03:47PM                  589  leading
2002-09-02  18:48       <DIR>          long year
2002-09-02  19:06                9,730 thousands
2002-09-02  19:06                9,73 not thousands
05-11-2020  10:13 AM    <SYMLINKD>     link [data\sub]
05-11-2020  10:13 AM    <JUNCTION>     away [C:\data]
05-11-2020  10:13 AM    <SYMLINK>      file [plain]`, `
d -1 2000-04-27 12:09:00 1m0s "DOS dir"
f 589 2000-04-14 15:47:00 1m0s " leading"
d -1 2002-09-02 18:48:00 1m0s "long year"
f 9730 2002-09-02 19:06:00 1m0s "thousands"
s -1 2020-05-11 10:13:00 1m0s "link" -> data/sub
s -1 2020-05-11 10:13:00 1m0s "away" -> C:\data
s -1 2020-05-11 10:13:00 1m0s "file" -> plain
? 2002-09-02  19:06                9,73 not thousands`},
		{"DOS, day first", `
04-03-00  12:09PM       <DIR>          early
27-04-00  12:09PM       <DIR>          late`, `
d -1 2000-03-04 12:09:00 1m0s "early"
d -1 2000-04-27 12:09:00 1m0s "late"`},
		{"DOS, both first", `
13-04-00  12:09PM       <DIR>          a
04-13-00  12:09PM       <DIR>          b`, `
d -1 unknown "a"
d -1 unknown "b"`},
		{"NetWare", `
total 0
d [R----F--] supervisor            512       Jan 16 18:53    login
- [RWCEAFMS] rwinston            19968       Mar 12 15:20    Executive Summary.doc
- [RWCEAFMX] rwinston            19968       Mar 12 15:20    no such right`, `
d -1 2026-01-16 18:53:00 1m0s "login"
f 19968 2026-03-12 15:20:00 1m0s "Executive Summary.doc"
? - [RWCEAFMX] rwinston            19968       Mar 12 15:20    no such right`},
		{"VMS", `

Directory DISK$USER:[ANN.WORK]

1-JUN.LIS;2              9/9           2-JUN-1998 07:32:04  [GROUP,OWNER]    (RWED,RWED,RWED,RE)
1-JUN.LIS;1              9/9           2-JUN-1998 07:32:04  [GROUP,OWNER]    (RWED,RWED,RWED,RE)
DATA.DIR;1                1  19-NOV-2001 21:41 [root,root] (RWE,RWE,RE,RE)
UNZIP_AND_ATTACH_FILES.COM;12
                        14/15         24-JUL-2002 14:35:40.53  [TRANSLATED]    (RWE,RWE,RWE,RE)
NODATE.;1    2/8    15-JAN-2000    [IV2_XXX]   (RWED,RWED,RE,)
OTHER_ORDER.TXT;1   [SUMMARY]    1/3     2-AUG-2006 13:05  (RWE,RWE,RE,)
MONTH.TXT;1         155   2-JUI-2003 10:30:13.64
SECRET.TEX;1  No privilege for attempted operation
CUT.OFF;3

Total of 8 files, 23/24 blocks.`, `
f -1 1998-06-02 07:32:04 1s "1-JUN.LIS"
f -1 1998-06-02 07:32:04 1s "1-JUN.LIS;1"
d -1 2001-11-19 21:41:00 1m0s "DATA"
f -1 2002-07-24 14:35:40 1s "UNZIP_AND_ATTACH_FILES.COM"
f -1 2000-01-15 00:00:00 24h0m0s "NODATE."
f -1 2006-08-02 13:05:00 1m0s "OTHER_ORDER.TXT"
f -1 unknown "MONTH.TXT"
? SECRET.TEX;1  No privilege for attempted operation
? CUT.OFF;3`},
		{"MVS data sets", `
Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname
WYOSPT 3420   2003/05/21  1  200  FB      80  8053  PS  MVS.FILE
WPTA01 3290   2004/03/04  1    3  FB      80  3125  PO  MVS.DATASET
TSO004 3390   VSAM MVS.VSAM
TSO005 3390   2005/06/06 213000 U 0 27998 PO-E MVS.DIR
Pseudo Directory                            TEST
Migrated                                    OLD.FILE
ARCIVE Not Direct Access Device             TAPE.FILE`, `
f -1 unknown "MVS.FILE"
d -1 unknown "MVS.DATASET"
f -1 unknown "MVS.VSAM"
d -1 unknown "MVS.DIR"
d -1 unknown "TEST"
f -1 unknown "OLD.FILE"
f -1 unknown "TAPE.FILE"`},
		{"MVS members", `
 Name     VV.MM   Created       Changed      Size  Init   Mod   Id
MEMBER1   01.01 2004/06/22 2004/06/22 16:32   128   128    0 BOBY12
PLAIN
`, `
f -1 2004-06-22 16:32:00 1m0s "MEMBER1"
f -1 unknown "PLAIN"`},
		{"MVS load modules", `
 Name      Size     TTR   Alias-of AC --------- Attributes --------- Amode Rmode
MEMBER2   00B308   000411          00 FO        RU                   31    ANY
not a member`, `
f -1 unknown "MEMBER2"
? not a member`},
		{"OS/400", `
QSYS            77824 02/23/00 15:09:55 *DIR       ibm dir/
PEP              4019 02/03/00 18:58:16 *STMF      einladung.zip
QPGMR          135168 02/03/00 13:18:19 *FILE      RPGUNITC1.FILE
QPGMR                                   *MEM       RPGUNITC1.MBR
                 4019 02/03/00 18:58:16 *STMF      anonymous
QPGMR          135168 02/03/00 13:18:19 *FILE`, `
d -1 2000-02-23 15:09:55 1s "ibm dir"
f 4019 2000-02-03 18:58:16 1s "einladung.zip"
f -1 2000-02-03 13:18:19 1s "RPGUNITC1.FILE"
f -1 unknown "RPGUNITC1.MBR"
f 4019 2000-02-03 18:58:16 1s "anonymous"
? QPGMR          135168 02/03/00 13:18:19 *FILE`},
		{"OS/400, any order", `
PEP              4019 04/03/02 18:58:16 *STMF      einladung.zip`, `
f 4019 unknown "einladung.zip"`},
		{"OS/2", `
36611      A    04-23-103   10:57  y2k
 1123      A    07-14-99   12:37   leading
    0 DIR       02-11-103   16:15  dir name
 1123 DIR  A    10-05-100   23:38  100`, `
f 36611 2003-04-23 10:57:00 1m0s "y2k"
f 1123 1999-07-14 12:37:00 1m0s " leading"
d -1 2003-02-11 16:15:00 1m0s "dir name"
d -1 2000-10-05 23:38:00 1m0s "100"`},
		{"VxWorks", `
  size          date       time       name
--------       ------     ------    --------
    2048    Feb-28-1998  05:23:30   logs              <DIR>
     512    JAN-01-1980   00:00:00   a file
     512    JAN-32-1980   00:00:00   no day`, `
d -1 1998-02-28 05:23:30 1s "logs"
f 512 1980-01-01 00:00:00 1s "a file"
? 512    JAN-32-1980   00:00:00   no day`},
		{"wfFtp", `
config             1014196  06/03/04  Thur.   10:20:03
another             1014196  06/03/04  Mon.   10:20:03`, `
f 1014196 2004-06-03 10:20:03 1s "config"
f 1014196 unknown "another"`},
		{"nothing known", `
JOBNAME  JOBID    OWNER    STATUS CLASS
IBMUSER1 JOB01906 IBMUSER  OUTPUT A        RC=0000 3 spool files`, `
? JOBNAME  JOBID    OWNER    STATUS CLASS
? IBMUSER1 JOB01906 IBMUSER  OUTPUT A        RC=0000 3 spool files`},
	} {
		l := parseList([]byte(strings.ReplaceAll(tt.listing[1:], "\n", "\r\n")), testNow)
		got := ""
		for _, e := range l.Entries {
			got += "\n" + shown(e)
		}
		for _, line := range l.UnparsedSample {
			got += "\n? " + strings.TrimSpace(line)
		}
		if got != tt.want {
			t.Errorf("%s: got%s\nwant%s", tt.name, got, tt.want)
		}
		checkListing(t, l)
	}
}

// The dialect is decided by all first lines, not by the first, and kept.
func TestOneDialectForAListing(t *testing.T) {
	unix := "-rw-r--r-- 1 u g 1 Jan 2 2003 file%d\r\n"
	dos := "01-02-03  12:00AM  5 other%d\r\n"
	lines := func(form string, n int) (s string) {
		for i := range n {
			s += fmt.Sprintf(form, i)
		}
		return s
	}
	for _, tt := range []struct {
		data            string
		parsed, strange int
	}{
		{lines(dos, 1) + lines(unix, 2), 2, 1},
		{lines(dos, 2) + lines(unix, 1), 2, 1},
		{lines(unix, headLines) + lines(dos, headLines+1), headLines, headLines + 1},
		// Nothing is decided by lines that nobody understands.
		{lines("hello, visitor %d\r\n", headLines+1) + lines(dos, 3), 3, headLines + 1},
		{lines("hello, visitor %d\r\n", 3*headLines) + lines(unix, 3), 3, 3 * headLines},
	} {
		if l := parseList([]byte(tt.data), testNow); len(l.Entries) != tt.parsed || l.Unparsed != tt.strange {
			t.Errorf("%.40q: %d entries, %d unparsed, want %d, %d", tt.data, len(l.Entries), l.Unparsed, tt.parsed, tt.strange)
		}
	}
}

// What a name may do in a listing, in every dialect that names could come in.
func TestHostileNames(t *testing.T) {
	for _, form := range []string{
		"+r,s1,\t%s", "-rw-r--r-- 1 u g 1 Jan 2 2003 %s", "01-02-03  12:00AM  5 %s",
		"- [RWCEAFMS] u 1 Jan 2 15:20    %s", "u                1 02/23/00 15:09:55 *STMF      %s",
		" 1      A    07-14-99   12:37  %s", "  512    JAN-01-1980   00:00:00   %s", "%s  1  06/03/04  Thur.   10:20:03",
		"%s;1  1  2-JUN-1998 07:32:04", "drwxr-xr-x               folder        2 May 10  1996 %s", "type=file; %s",
	} {
		for _, name := range []string{".", "..", "/", "a/b", "../x", "/etc/passwd", "", "\x00", "a\x00b", "./", "../"} {
			line := fmt.Sprintf(form, name)
			l := parseList([]byte(line+"\r\n"), testNow)
			if strings.HasPrefix(form, "type=") {
				l = parseMLSD([]byte(line + "\r\n"))
			}
			checkListing(t, l)
			if len(l.Entries) > 0 {
				t.Errorf("%q: %q got out", line, l.Entries[0].Name)
			}
		}
	}
}

// Every dialect reads every line without harm, whatever the others make of it.
func FuzzDialects(f *testing.F) {
	for _, s := range sampleLines(f) {
		f.Add(s.Line, s.Line)
	}
	f.Add(" Name     VV.MM   Created       Changed      Size", "MEMBER")
	f.Add("\xbd\xdd\xff.DIR;1 0 1-AAA-0000", " *000000000 0")
	f.Add("0 *000000000000000000", "")
	f.Add("NAME.COM;12", "     1  2-JUN-1998 07:32:04")
	f.Fuzz(func(t *testing.T, one, two string) {
		for _, d := range dialects {
			read := d.read(hints{[]string{one, two}, testNow})
			for _, line := range []string{one, two, one} {
				e, m := read(line)
				if m != child && e != (Entry{}) {
					t.Errorf("%s: %q: %+v", d.name, line, e)
				}
				if e.Size < -1 || e.Precision < 0 || e.ModTime.IsZero() != (e.Precision == 0) ||
					e.Mode&^(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
					t.Errorf("%s: %q: %+v", d.name, line, e)
				}
				if y := e.ModTime.Year(); !e.ModTime.IsZero() && (y < 0 || y > 36812) {
					t.Errorf("%s: %q: year %d", d.name, line, y)
				}
			}
		}
	})
}

// No listing costs more than its length.
func BenchmarkDecide(b *testing.B) {
	data := []byte(strings.Repeat("-rw-r--r--    1 1000     1000         1234 Mar 02 15:13 name of a file.txt\r\n", headLines))
	for b.Loop() {
		parseList(data, time.Now())
	}
}
