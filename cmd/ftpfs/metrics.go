package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsServer tells Prometheus what a mount is doing, at /metrics. The nil one does
// nothing.
type metricsServer struct {
	listener net.Listener
	http     http.Server
	wg       sync.WaitGroup // serving
}

// parseMetricsAddr reads where to listen: a port, or host:port. Without a host it is this
// machine alone, since names of files are nobody else's business.
func parseMetricsAddr(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = "", s
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 && host == "" || strings.ContainsAny(host, "/ ") {
		return "", errors.New("write a port or an address with one, as 9121 or 192.0.2.1:9121")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// listenMetrics takes the address, before anything is mounted; "" is none.
func listenMetrics(addr string) (*metricsServer, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fail(exitUsage, "Metrics cannot be served: %w. Choose another address by --metrics.", err)
	}
	return &metricsServer{listener: l}, nil
}

// serve answers by what status tells, until Close.
func (m *metricsServer) serve(status func() status, log *slog.Logger) {
	if m == nil {
		return
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(statusCollector{status}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	m.http = http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	m.wg.Go(func() {
		if err := m.http.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("metrics are not served any more", "error", err)
		}
	})
	log.Info("serving metrics", "url", "http://"+m.listener.Addr().String()+"/metrics")
}

// Close ends serving and waits for that.
func (m *metricsServer) Close() {
	if m == nil {
		return
	}
	m.http.Close()
	m.listener.Close()
	m.wg.Wait()
}

// statusCollector asks for a status at each scrape.
type statusCollector struct{ status func() status }

// metric is one line of the table of metrics.
type metric struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string // variable ones
	values     func(s status, add func(value float64, labels ...string))
}

// one is the value of a metric without labels.
func one(value func(status) float64) func(status, func(float64, ...string)) {
	return func(s status, add func(float64, ...string)) { add(value(s)) }
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

var metrics = []metric{
	{"ftpfs_reached", "Whether the server has been reached since the mount.", gauge, nil, one(func(s status) float64 { return truth(s.Server.Reached) })},
	{"ftpfs_start_time_seconds", "When the mount began, in seconds since 1970.", gauge, nil, one(func(s status) float64 { return float64(s.Mounted.Unix()) })},
	{"ftpfs_connections", "Control connections to the server.", gauge, []string{"state"}, func(s status, add func(float64, ...string)) {
		add(float64(s.Connections.Busy), "busy")
		add(float64(s.Connections.Open-s.Connections.Busy), "idle")
	}},
	{"ftpfs_connections_limit", "Most control connections at a time, as configured or as the server allows.", gauge, nil, one(func(s status) float64 { return float64(s.Connections.Limit) })},
	{"ftpfs_logins_total", "Successful logins.", counter, nil, one(func(s status) float64 { return float64(s.Connections.Logins) })},
	{"ftpfs_data_bytes_total", "Bytes over data connections.", counter, []string{"direction"}, func(s status, add func(float64, ...string)) {
		add(float64(s.Traffic.In), "received")
		add(float64(s.Traffic.Out), "sent")
	}},
	{"ftpfs_data_connections_total", "Data connections used, for files and for listings.", counter, nil, one(func(s status) float64 { return float64(s.Traffic.Transfers) })},
	{"ftpfs_round_trips_total", "Times that commands waited for replies.", counter, nil, one(func(s status) float64 { return float64(s.Traffic.RoundTrips) })},
	{"ftpfs_round_trips_saved_total", "Questions answered from listings that were known.", counter, nil, one(func(s status) float64 { return float64(s.Traffic.Saved) })},
	{"ftpfs_transfers", "Files under way.", gauge, []string{"direction"}, func(s status, add func(float64, ...string)) {
		uploads := 0
		for _, t := range s.Transfers {
			if t.Upload {
				uploads++
			}
		}
		add(float64(len(s.Transfers)-uploads), "received")
		add(float64(uploads), "sent")
	}},
	{"ftpfs_pending_files", "Files that the server does not have yet as they are here.", gauge, nil, one(func(s status) float64 { return float64(len(s.Pending)) })},
	{"ftpfs_pending_bytes", "Size of the files that the server does not have yet.", gauge, nil, one(func(s status) float64 {
		total := int64(0)
		for _, p := range s.Pending {
			total += p.Size
		}
		return float64(total)
	})},
	{"ftpfs_failed_files", "Pending files whose last upload failed.", gauge, nil, one(func(s status) float64 {
		failed := 0
		for _, p := range s.Pending {
			if p.Error != "" {
				failed++
			}
		}
		return float64(failed)
	})},
	{"ftpfs_cache_bytes", "File contents kept here.", gauge, nil, one(func(s status) float64 { return float64(s.Cache.Bytes) })},
	{"ftpfs_cache_limit_bytes", "Most file contents kept here.", gauge, nil, one(func(s status) float64 { return float64(s.Cache.Limit) })},
	{"ftpfs_cache_evictions_total", "Blocks of files given up for others.", counter, nil, one(func(s status) float64 { return float64(s.Cache.Evictions) })},
	{"ftpfs_cache_entries", "Directory entries remembered.", gauge, nil, one(func(s status) float64 { return float64(s.Cache.Entries) })},
	{"ftpfs_cache_hits_total", "Questions and reads answered by what was here.", counter, []string{"cache"}, func(s status, add func(float64, ...string)) {
		add(float64(s.Cache.ListHits), "listings")
		add(float64(s.Cache.ReadHits), "files")
	}},
	{"ftpfs_cache_misses_total", "Questions and reads that had to wait for the server.", counter, []string{"cache"}, func(s status, add func(float64, ...string)) {
		add(float64(s.Cache.ListMiss), "listings")
		add(float64(s.Cache.ReadWaits), "files")
	}},
	{"ftpfs_errors_total", "Warnings, and requests that failed.", counter, nil, one(func(s status) float64 { return float64(s.ErrorCount) })},
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m metric) desc() *prometheus.Desc {
	return prometheus.NewDesc(m.name, m.help, append([]string{"mountpoint"}, m.labels...), nil)
}

// Describe sends nothing: the metrics are known at the first scrape.
func (statusCollector) Describe(chan<- *prometheus.Desc) {}

// Collect asks once for all.
func (c statusCollector) Collect(to chan<- prometheus.Metric) {
	s := c.status()
	for _, m := range metrics {
		desc := m.desc()
		m.values(s, func(value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(desc, m.kind, value, append([]string{strings.ToValidUTF8(s.MountPoint, "?")}, labels...)...)
		})
	}
}
