package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// asProgram in the environment makes the test binary the program itself.
const asProgram = "FTPFS_BENCH_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" || len(os.Args) > 1 && os.Args[1] == ceilingCommand {
		main()
	}
	os.Exit(m.Run())
}

// A small run from the command line to the files of the result.
func TestBench(t *testing.T) {
	dir := t.TempDir()
	ftpfs := filepath.Join(dir, "ftpfs")
	build := exec.Command("go", "build", "-o", ftpfs, "./cmd/ftpfs")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	readme := filepath.Join(dir, "README.md")
	if err := os.WriteFile(readme, []byte("before\n"+firstMark+"old\n"+lastMark+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "stat", "sed", "--rtt=2ms", "--runs=1", "--servers=vsftpd", "--contestants=ftpfs",
		"--ftpfs="+ftpfs, "--trace="+filepath.Join(dir, "trace"), "--output="+filepath.Join(dir, "out"), "--readme="+readme, "--json")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &said)
	}
	r, err := readJSON(&out)
	if err != nil {
		t.Fatalf("%v: %s", err, &said)
	}
	if len(r.Rows) != 2 {
		t.Fatalf("%d rows: %s", len(r.Rows), &said)
	}
	for _, row := range r.Rows {
		c := row.cell(ours)
		if c == nil || len(c.Values) != 1 || c.Values[0] <= 0 || c.Failure != "" {
			t.Errorf("%s: %+v", row.Workload, c)
		} else if len(c.Commands) == 0 {
			t.Errorf("%s: no command in the trace", row.Workload)
		}
	}
	for _, name := range []string{"results.json", "README.md", "roundtrips.svg"} {
		if info, err := os.Stat(filepath.Join(dir, "out", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	shown, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(shown, []byte("(out/roundtrips.svg)")) || bytes.Contains(shown, []byte("old")) ||
		!bytes.HasPrefix(shown, []byte("before\n")) || !bytes.HasSuffix(shown, []byte("after\n")) {
		t.Errorf("the file that shows the charts:\n%s", shown)
	}
}
