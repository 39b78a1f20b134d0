package house

import (
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"coterie/cmd/internal/cli"
)

// MetricsHelp is what --metrics is for.
const MetricsHelp = "serve numbers for Prometheus at http://`ADDR`/metrics, such as 127.0.0.1:9641; " +
	"with a port alone, on this computer"

// ServeMetrics serves numbers at an address, on this computer unless another is named.
// Without an address the registry is nil. The caller ends it.
func ServeMetrics(at string) (prometheus.Registerer, func(), error) {
	if at == "" {
		return nil, func() {}, nil
	}
	if !strings.Contains(at, ":") {
		at = ":" + at
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return nil, nil, cli.Usage("--metrics: %q is not an address", cli.Clean(at)).Hint("such as 127.0.0.1:9641")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, nil, cli.Fail("metrics", "cannot serve metrics at %s: %s", cli.Clean(at), cli.Clean(err.Error())).
			Hint("another port: --metrics 127.0.0.1:PORT").Because(err)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	opts := promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 10 * time.Second}
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, opts))
	s := &http.Server{
		Handler: mux, MaxHeaderBytes: 8 << 10,
		ReadTimeout: 5 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute,
	}
	go s.Serve(l)
	return r, func() { s.Close(); l.Close() }, nil
}
