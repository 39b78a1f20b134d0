package node

import (
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/prometheus/client_golang/prometheus"

	"coterie/room"
)

// What a node and a relay tell whoever measures: numbers alone. No name, no room, no
// peer and no text is in them.

// withMetrics has a host count into a registry, which newHost has it not do.
func withMetrics(to prometheus.Registerer) libp2p.Option {
	return func(c *libp2p.Config) error {
		if to != nil {
			c.DisableMetrics, c.PrometheusRegisterer = false, to
		}
		return nil
	}
}

// tally is what a node counts of its room.
type tally struct {
	sent, received atomic.Int64 // messages
	refused        atomic.Int64 // by relays
}

// count counts an event.
func (c *tally) count(e Event) {
	switch e := e.(type) {
	case room.Sent:
		c.sent.Add(1)
	case room.Delivered:
		if !e.Self && !e.History {
			c.received.Add(1)
		}
	case RelayRefused:
		c.refused.Add(1)
	}
}

// A gauge is one number, and how it is called.
type gauge struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func newGauge(kind prometheus.ValueType, name, help string, labels ...string) gauge {
	return gauge{prometheus.NewDesc("coterie_"+name, help, labels, nil), kind}
}

var (
	gaugeMembers = newGauge(prometheus.GaugeValue, "members", "Members that can read, with this one.")
	gaugeEpoch   = newGauge(prometheus.GaugeValue, "epoch_age_seconds",
		"How old the keys in force are; absent without any.")
	gaugeSent     = newGauge(prometheus.CounterValue, "messages_sent_total", "Messages sent.")
	gaugeReceived = newGauge(prometheus.CounterValue, "messages_received_total",
		"Messages of others, but for those from before.")
	gaugeHeld = newGauge(prometheus.GaugeValue, "messages_held",
		"Messages that wait until somebody can read them.")
	gaugeConns = newGauge(prometheus.GaugeValue, "connections",
		"Connected peers, by how: direct, relayed, or a relay.", "path")
	gaugePlaces = newGauge(prometheus.GaugeValue, "relay_places",
		"Relays through which this peer can be reached.")
	gaugeRefusals = newGauge(prometheus.CounterValue, "relay_refusals_total",
		"Refusals by relays that the user was told.")
	gaugeBytes    = newGauge(prometheus.CounterValue, "bytes_total", "Bytes over the network.", "direction")
	gaugeRelayed  = newGauge(prometheus.GaugeValue, "relay_peers", "Connected peers.")
	gaugeOpened   = newGauge(prometheus.GaugeValue, "relay_connections", "Connections that others have opened.")
	gaugeRooms    = newGauge(prometheus.GaugeValue, "relay_rooms", "Rooms whose gossip is carried.")
	gaugeReserved = newGauge(prometheus.GaugeValue, "relay_reservations",
		"Peers that can be reached through the relay.")
	gaugeCircuits  = newGauge(prometheus.GaugeValue, "relay_circuits", "Connections of others that are carried.")
	gaugeForwarded = newGauge(prometheus.CounterValue, "relay_forwarded_total", "Records forwarded.")
	gaugeRefused   = newGauge(prometheus.CounterValue, "relay_refused_total",
		"What was not given: connections, circuits, reservations, streams.")
)

// A collector asks for the numbers when they are wanted.
type collector func(put func(g gauge, value float64, labels ...string))

// Describe says nothing: what is there depends on the moment.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect is of prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	c(func(g gauge, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(g.desc, g.kind, value, labels...)
	})
}

// metrics are those of a node.
func (n *Node) metrics() prometheus.Collector {
	return collector(func(put func(gauge, float64, ...string)) {
		st := n.Status()
		put(gaugeMembers, float64(len(st.Room.Members)))
		if !st.Room.Since.IsZero() {
			put(gaugeEpoch, max(n.now().Sub(st.Room.Since), 0).Truncate(time.Millisecond).Seconds())
		}
		put(gaugeSent, float64(n.tally.sent.Load()))
		put(gaugeReceived, float64(n.tally.received.Load()))
		put(gaugeHeld, float64(st.Room.Held))
		of := map[string]int{"direct": 0, "relayed": 0, "relay": 0}
		for _, p := range st.Peers {
			switch {
			case p.IsRelay:
				of["relay"]++
			case p.Kind != NoPath:
				of[string(p.Kind)]++
			}
		}
		for path, n := range of {
			put(gaugeConns, float64(n), path)
		}
		put(gaugePlaces, float64(len(st.Relays)))
		put(gaugeRefusals, float64(n.tally.refused.Load()))
		put(gaugeBytes, float64(st.BytesIn), "in")
		put(gaugeBytes, float64(st.BytesOut), "out")
	})
}

// metrics are those of a relay.
func (r *Relay) metrics() prometheus.Collector {
	return collector(func(put func(gauge, float64, ...string)) {
		st := r.Stats()
		put(gaugeRelayed, float64(st.Peers))
		put(gaugeOpened, float64(st.Connections))
		put(gaugeRooms, float64(st.Rooms))
		put(gaugeReserved, float64(st.Reservations))
		put(gaugeCircuits, float64(st.Circuits))
		put(gaugeForwarded, float64(st.Forwarded))
		put(gaugeRefused, float64(st.Refused))
		put(gaugeBytes, float64(r.traffic.in.Load()), "in")
		put(gaugeBytes, float64(r.traffic.out.Load()), "out")
	})
}

// register has a registry ask; nil: nobody does.
func register(to prometheus.Registerer, c prometheus.Collector) error {
	if to == nil {
		return nil
	}
	return to.Register(c)
}
