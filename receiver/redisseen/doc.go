// Package redisseen lets several receivers, on one machine or many, share what
// they have processed and what is left of their limits, by way of Redis 6.2 or
// newer, or Valkey: a single server, a cluster, or one that Sentinel watches.
//
// Each event is one short key, or two with a few providers, that expires by
// itself. It is made of a hash, and holds nothing of the event. All keys of a
// receiver have its name as their hash tag, so that they are in one slot of a
// cluster and change together; several receivers spread over it.
//
// A request that has claimed an event holds it by a lease with a token of its
// own, which is renewed as long as the process lives. While Redis is away, every
// call fails at once; one goroutine tries to reach it, less and less often.
//
// Redis answers before it has copied, or written, what it was told. So a process
// that has connected anew tells again which claims it holds, and which it has
// committed or released of late, wherever nobody else has the keys.
package redisseen
