// Package receiver guards an HTTP endpoint that receives webhooks, so that the
// application behind it sees each authentic event once.
//
// A [Receiver] checks every request, the cheapest check first: method, size,
// rate per client address, signature, freshness, rate per source; then it
// claims the event ID, and only then the application is called. Handshakes, with
// which a provider makes sure of an endpoint, are answered on the way. The
// application's answer decides: a 2xx commits the ID, so that later copies are
// answered without the application; anything else releases it, so that the
// sender's retry gets through.
package receiver
