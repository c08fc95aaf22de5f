package main

// allRows are what can be measured, in the order in which it is.
func allRows() []row {
	return []row{
		{
			name: "publish", title: "Published durably and delivered",
			says:    "64 connections publish events of 1 KB, each as soon as it has its 202, to a Caddy with one endpoint, one event in a request or an array of ten. Delivered/s counts from the first request to the last arrival. The bare loop is a process of its own that makes, signs and posts the same deliveries with net/http and keeps nothing.",
			bars:    []string{"delivered/s", cost},
			measure: (*bench).rowPublish,
		},
		{
			name: "tls", title: "Delivered over https",
			says:    "As in the first row, to a site with a certificate of its own (ECDSA P-256, TLS 1.3), which speaks HTTP/1.1 or HTTP/2. Connections are kept.",
			bars:    []string{"delivered/s", cost},
			measure: (*bench).rowTLS,
		},
		{
			name: "latency", title: "Latency",
			says:    "Events are published at fixed times, whether those before have been answered or not. Latency counts from the time at which an event was to be published to its arrival, so that nothing that had to wait is left out.",
			measure: (*bench).rowLatency,
		},
		{
			name: "postgres", title: "Several Caddys on one PostgreSQL", axis: "Caddys",
			says:    "As in the first row, with one, two and three Caddys that share a PostgreSQL; the connections take turns with them. Everything runs on this one machine, whose processors they share: the cost of an event says more than the speed. The processor time of all Caddys is added up.",
			measure: (*bench).rowPostgres,
		},
		{
			name: "receive", title: "webhook_receive in front of reverse_proxy",
			says:    "64 connections send signed deliveries of 1 KB through Caddy to a small upstream: with reverse_proxy alone, and with webhook_receive before it, which verifies, limits, and finds duplicates. Each event is new. With request_buffers, reverse_proxy reads a request as a whole before it passes it on; webhook_receive has done so anyway. Every Caddy collects its garbage at the same size (GOGC=off, GOMEMLIMIT=400MiB), so that what is remembered does not make collections rarer.",
			bars:    []string{"requests/s", "CPU µs per request"},
			measure: (*bench).rowReceive,
		},
		{
			name: "duplicates", title: "Duplicates through webhook_receive",
			says:    "Every event is sent by two processes at about the same time and once more afterwards, and must reach the upstream once.",
			measure: (*bench).rowDuplicates,
		},
		{
			name: "million", title: "Five million events remembered", asked: true,
			says:    "The receiver's own benchmark, in one process without HTTP: 64 goroutines present each event three times, and as many events are remembered as there are.",
			measure: (*bench).rowMillion,
		},
		{
			name: "size", title: "Size of the program",
			says:    "Built with the same flags: -trimpath -ldflags '-s -w', CGO_ENABLED=0, the tags of Caddy's releases. SQLite is what the store is kept in; alone, it is linked and nothing uses it.",
			bars:    []string{"MiB"},
			measure: (*bench).rowSize,
		},
		{
			name: "neighbour", title: "A dead endpoint with 100,000 deliveries queued, beside a healthy one",
			says:    "The healthy endpoint gets 500 events a second at fixed times. A dead one has 100,000 other deliveries waiting, of which some are being tried all the time. Four Caddys take turns; while one is measured the others have no dead endpoint.",
			measure: (*bench).rowNeighbour,
		},
		{
			name: "backlog", title: "Deliveries that wait", axis: "pending",
			says:    "Events of 1 KB wait for an endpoint that refuses connections, while another one gets events as fast as 64 connections publish them. Then Caddy is started again.",
			measure: (*bench).rowBacklog,
		},
		{
			name: "payload", title: "Larger events", axis: "size of an event's data",
			says:    "As in the first row, with larger events.",
			measure: (*bench).rowPayload,
		},
		{
			name: "endpoints", title: "More endpoints", axis: "endpoints",
			says:    "Each endpoint is of another tenant, and tenants take turns: each event goes to one endpoint.",
			measure: (*bench).rowEndpoints,
		},
		{
			name: "fanout", title: "Each event to more endpoints", axis: "endpoints of each event",
			says:    "As many deliveries at each point, of fewer events.",
			measure: (*bench).rowFanout,
		},
		{
			name: "connections", title: "More publishers", axis: "connections",
			says:    "As in the first row, with other numbers of connections.",
			measure: (*bench).rowConnections,
		},
		{
			name: "batches", title: "More events in a request", axis: "events in a request", asked: true,
			says:    "As in the first row, with arrays of events.",
			measure: (*bench).rowBatches,
		},
	}
}
