package main

import "github.com/manysends/caddy-webhooks/integration/bench/chart"

// peer is what another sender did on two cores, with everything on one machine:
// one endpoint, events of 1 KB, 64 connections, signed deliveries, none lost.
// These are records of November 2026, by the same method as the row publish with
// a generator and a sink of the same kind, and are not measured again. Each
// range is that of the runs.
type peer struct {
	name, version string
	acknowledged  string // what its acknowledgement says
	delivered     [2]float64
	cost          [2]float64 // s per 1,000 delivered, its services included
	latency       string     // at 50 events/s: p50 and p99
}

var peers = []peer{
	{"WebhookX, synchronous", "1.2.0", "in PostgreSQL", [2]float64{1010, 1140}, [2]float64{1.4, 1.6}, "3.4–3.5 / 6.8–7.0"},
	{"WebhookX, asynchronous", "1.2.0", "in Redis", [2]float64{1860, 2130}, [2]float64{0.75, 0.84}, "4.0 / 7.2"},
	{"Outpost", "1.2.0", "in a quorum queue of RabbitMQ", [2]float64{1400, 1520}, [2]float64{1.14, 1.20}, "not settled: 3.6–30 / 15–55"},
	{"Convoy", "26.3.6, not its newest", "in a queue in Redis", [2]float64{155, 172}, [2]float64{10.2, 10.5}, "1,124 / 2,130–2,550"},
}

// peersOf are the peers' bars beside a measure of the row publish.
func peersOf(measure string) (bars []chart.Bar) {
	for _, p := range peers {
		values := p.delivered
		switch measure {
		case "delivered/s":
		case cost:
			values = p.cost
		default:
			return nil
		}
		bars = append(bars, chart.Bar{Name: p.name, Value: (values[0] + values[1]) / 2, Low: values[0], High: values[1], Other: true})
	}
	return bars
}

// peersTable is what the peers did, for a document.
func peersTable() string {
	grid := [][]string{{"", "version", "the acknowledgement says", "delivered/s", cost + ", services included", "at 50/s: p50 / p99, ms"}}
	for _, p := range peers {
		between := func(v [2]float64) string { return number(v[0]) + "–" + number(v[1]) }
		grid = append(grid, []string{p.name, p.version, p.acknowledged, between(p.delivered), between(p.cost), p.latency})
	}
	return markdown(grid)
}
