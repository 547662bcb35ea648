package main

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sampleResult() *Result {
	return &Result{
		Date:    time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		Machine: Machine{CPU: "a processor", Cores: 4, Memory: 8 << 30, Kernel: "6.18", TCP: "bbr"},
		RTT:     50 * time.Millisecond, Rate: 200e6,
		Contestants: []Contestant{{ours, "as it is", "abc"}, {"curlftpfs", "as it is", ""}, {"lftp", "a client", "4.9"}},
		Rows: []*Row{
			{Workload: "ls", Title: "`ls`", Server: "vsftpd", Network: onLink, Unit: roundTrips, Floor: "1", Target: 2.5, Cells: []*Cell{
				{Contestant: ours, Values: []float64{2, 9, 3}, Commands: tally{"LIST": 1, "MDTM": 7}},
				{Contestant: "lftp", Values: []float64{1.004}}}},
			{Workload: "read", Title: "read", Server: "vsftpd", Network: onLink, Unit: shareOfLink, Target: 90, Cells: []*Cell{
				{Contestant: ours, Values: []float64{93.21}},
				{Contestant: "lftp", Failure: "wrong content: other bytes"}}},
			{Workload: "nobody", Title: "nobody", Server: "vsftpd", Network: onLink, Unit: roundTrips},
			{Workload: "local", Title: "local", Server: "vsftpd", Network: loopback, Unit: shareOfFUSE, Target: 80, Cells: []*Cell{
				{Contestant: ours, Failure: "not done after 1m0s"}}},
		},
	}
}

func TestJSONRoundTrip(t *testing.T) {
	want := sampleResult()
	var b bytes.Buffer
	if err := want.writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	got, err := readJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	if err := sampleResult().writeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"22 November 2026: a processor, 4 cores, 8 GiB, Linux 6.18.",
		"TCP's congestion control is bbr.",
		"## vsftpd over the link\n\n| | unit | FTP allows | has to reach | ftpfs | lftp |\n",
		"| `ls` | round trips | 1 | 2.5 | **3** (2–9) | 1 |\n",
		"| read | % of the link |  | 90 | 93.2 | fails |\n",
		"## vsftpd on loopback\n\n| | unit | FTP allows | has to reach | ftpfs |\n",
		"| local | % of the ceiling |  | 80 | fails |\n",
		"| curlftpfs | as it is | absent |\n",
		"- ls, vsftpd: **3** (2–9) instead of 2.5 round trips; sent 8: MDTM 7, LIST 1\n- local, vsftpd: fails instead of 80 % of the ceiling\n",
		"- read, vsftpd, lftp: wrong content: other bytes\n- local, vsftpd, ftpfs: not done after 1m0s\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
	for _, other := range []string{"nobody", "busy"} {
		if strings.Contains(b.String(), other) {
			t.Errorf("contains %q:\n%s", other, b.String())
		}
	}
}

func TestBusyMachine(t *testing.T) {
	r := sampleResult()
	r.Machine.Load = 2.5
	if said := r.circumstances(); !strings.Contains(said, "busy with other work (load 2.5)") {
		t.Error(said)
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}} {
		if got := median(test.values); got != test.want {
			t.Errorf("median(%v) = %v, want %v", test.values, got, test.want)
		}
	}
}

func TestRelate(t *testing.T) {
	row := &Row{Cells: []*Cell{{Contestant: ours, Values: []float64{50, 30}}, {Contestant: ceiling, Values: []float64{100, 40}}}}
	relate(row)
	if got := row.cell(ours).Values; !reflect.DeepEqual(got, []float64{50, 75}) {
		t.Errorf("ours: %v", got)
	}
	if got := row.cell(ceiling).Values; !reflect.DeepEqual(got, []float64{100, 100}) {
		t.Errorf("ceiling: %v", got)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.314: "0.31", 2: "2", 2.5: "2.5", 9.87: "9.87", 10: "10", 12.34: "12.3", 1234.5: "1234"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}
