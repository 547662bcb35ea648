package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
)

func TestMetricsAddr(t *testing.T) {
	for s, want := range map[string]string{
		"9121": "127.0.0.1:9121", ":9121": "127.0.0.1:9121", "0.0.0.0:9121": "0.0.0.0:9121", "[::1]:9121": "[::1]:9121", "localhost:9121": "localhost:9121",
		"127.0.0.1:0": "127.0.0.1:0",
	} {
		if got, err := parseMetricsAddr(s); err != nil || got != want {
			t.Errorf("%s: %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0", "x", "h:", "h:x", "99999", "http://h:1"} {
		if got, err := parseMetricsAddr(s); err == nil {
			t.Errorf("%q: %s", s, got)
		}
	}
}

// Each metric has a name and a help that Prometheus likes, and the dashboard asks only for
// what there is.
func TestMetricsAndDashboard(t *testing.T) {
	s := status{MountPoint: "/m\xff", Pending: []statusPending{{Size: 3, Error: "no"}}, Transfers: []statusTransfer{{Upload: true}}, ErrorCount: 7}
	s.Traffic.In, s.Server.Reached = 5, true
	c := statusCollector{func() status { return s }}
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil || len(families) != len(metrics) {
		t.Fatalf("%d families, %v", len(families), err)
	}
	known := make(map[string]bool)
	for _, f := range families {
		known[f.GetName()] = true
	}
	text, err := os.ReadFile("../../docs/grafana/ftpfs.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`ftpfs_[a-z_]+`).FindAllString(target.Expr, -1) {
				if used++; !known[name] {
					t.Errorf("the dashboard asks for %s", name)
				}
			}
		}
	}
	if used < 10 {
		t.Errorf("the dashboard asks for %d metrics", used)
	}
}

func TestMetricsOfAMount(t *testing.T) {
	files := afero.NewMemMapFs()
	if err := afero.WriteFile(files, "/sub/file", []byte("12345"), 0o644); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	dir := testMount(t, ftptest.Start(t, ftptest.Options{Fs: files}), "--metrics", "127.0.0.1:0", "--log-file", log)
	shell(t, dir, "cat file")
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+/metrics`).FindString(string(text))
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	want := `ftpfs_data_connections_total{mountpoint="` + dir + `"} 2`
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) || !strings.Contains(string(body), "# TYPE ftpfs_round_trips_total counter") {
		t.Errorf("%v, %v\n%s", answer.Status, err, body)
	}
	var p program
	heap := filepath.Join(t.TempDir(), "heap")
	if code, _, stderr := run(&p, "profile", "heap", dir, heap); code != 0 {
		t.Error(stderr)
	}
	if profile, err := os.ReadFile(heap); err != nil || !strings.HasPrefix(string(profile), "\x1f\x8b") {
		t.Errorf("%q, %v", profile, err)
	}
	if code, _, stderr := run(&p, "profile", "luck", dir, heap); code != exitUsage || !strings.Contains(stderr, "There is no profile") {
		t.Errorf("%d %s", code, stderr)
	}
	// Nothing is mounted where metrics cannot be served.
	port := regexp.MustCompile(`:\d+`).FindString(url[len("http:"):])
	code, _, stderr := run(&p, "--metrics", port, "ftp://127.0.0.1:1/", t.TempDir())
	if code != exitUsage || !strings.Contains(stderr, "Choose another address by --metrics") {
		t.Errorf("%d %s", code, stderr)
	}
	pid := daemonOf(t, dir)
	if code, _, stderr := run(&p, "umount", dir); code != 0 {
		t.Error(stderr)
	}
	waitProcess(t, pid)
}
