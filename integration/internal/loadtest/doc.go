// Package loadtest makes events, takes their deliveries, and keeps account of
// them: of each acknowledged event and each endpoint it can tell whether the
// event was lost, came once, or was repeated, and how long before a kill a
// repeated one had come. It knows nothing of how Caddy works inside.
package loadtest
