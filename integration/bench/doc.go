// Command bench measures the real Caddy: it builds the program as releases are
// built, starts it on this machine with a configuration and a data folder of its
// own, makes load, takes in what is delivered, accounts for every event, and
// prints what it found beside baselines that were measured in the same run, in
// turns.
//
//	go run ./integration/bench
//	go run ./integration/bench -rows publish,latency -rounds 7 -json result.json
//
// It fails when an event was lost or delivered twice, and never because it was
// slow. docs/performance.md says what the rows are and how they are measured.
package main
