// Package postgresstore is the [sender.SharedStore] in PostgreSQL 13 or newer:
// several senders, on one machine or many, share one database, and when one of
// them is gone the others deliver what it had in hand.
//
// # Durability
//
// Every successful PutEvents and Settle is on the disk of the server, whatever
// its synchronous_commit says by default. Its fsync must be on. A standby that
// takes over has what was replicated: only with synchronous_standby_names that is
// everything.
//
// When a connection breaks off in the middle of a change, nobody knows whether it
// was made. The store then gives up all that it holds and joins anew, as after the
// loss of its lease: what is recorded is the truth.
//
// # Layout
//
// An accepted event is one row of the events table, fan-out included, and a
// short one that its ID is unique by. It names the instance that stored it and
// holds its deliveries. A delivery gets a row when its first outcome is known:
// at once among those that have come to an end, or, if it has to be tried again
// or to be put back, in the small table of those that wait. So a delivery that
// succeeds at the first attempt is one row that never changes, and all that can
// be claimed is found by an index of the small table.
//
// What an instance leaves without a row when it is gone is found by a mark that
// it renews together with its lease: the others look at what it stored from
// there on.
//
// Events, ended deliveries and attempts are partitioned by day. A day of which
// nothing is wanted any more is dropped as a whole.
//
// # Connections
//
// A pool of connections does the work, one more listens for what other instances
// tell. They are few, and no transaction and no lock lasts longer than a call.
// Poolers such as PgBouncer may be in between, in transaction mode, too:
// no statement depends on the session before it. Through such a pooler nobody
// can listen: give a direct [Options.ListenURL], or changes by others are found
// by looking, every two seconds.
package postgresstore
