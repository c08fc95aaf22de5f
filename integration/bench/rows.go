package main

// allRows are what can be measured, in the order in which it is.
func allRows() []row {
	return []row{
		{
			name: "publish", title: "Published durably and delivered",
			says:    "64 connections publish events of 1 KB, each as soon as it has its 202, to a Caddy with one endpoint. Delivered/s counts from the first request to the last arrival. The bare loop is a process of its own that makes, signs and posts the same deliveries with net/http and keeps nothing.",
			measure: (*bench).rowPublish,
		},
		{
			name: "latency", title: "Latency",
			says:    "Events are published at fixed times, whether those before have been answered or not. Latency counts from the time at which an event was to be published to its arrival, so that nothing that had to wait is left out.",
			measure: (*bench).rowLatency,
		},
	}
}
