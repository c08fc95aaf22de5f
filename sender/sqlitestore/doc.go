// Package sqlitestore is the embedded [sender.Store]: one SQLite file, written
// by one process, without C.
//
// # Durability
//
// The file is in WAL mode with synchronous=FULL: every successful PutEvents
// and Settle has been through a full sync of the disk, and survives a crash of
// the process and a loss of power.
//
// # Layout
//
// An accepted event is one row of the events table, fan-out included: its
// endpoints are a short list of numbers in that row. A delivery gets a row of
// its own when its first outcome is known. Until then it is "unwritten": it is
// pending, was never attempted, and the process holds it in memory. What a
// crash leaves unwritten is found through a mark, kept in the file, below
// which everything is written; Open writes the rest. Everything that can be
// claimed is therefore found by index.
//
// # Limits
//
// The file may be used by one process at a time; Open says so when it is not.
// It must be on a local disk: SQLite's locks and WAL do not work over a
// network. Purged events leave room in the file for later ones; the file does
// not shrink.
package sqlitestore
