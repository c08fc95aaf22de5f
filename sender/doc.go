// Package sender delivers events to webhook endpoints: durably, signed, and
// with retries, until each delivery has succeeded or has visibly failed.
//
// A [Sender] takes events through [Sender.Publish], which returns once they
// are in its [Store], on disk. From there every matching endpoint's lane
// attempts its deliveries, and the outcomes go back to the store:
//
//	Publish → Store → lane → attempt → Store
//
// The words are those of the field. An event is something that happened. An
// endpoint is a subscription to events. A delivery is one event on its way to
// one endpoint. An attempt is one HTTP exchange of a delivery.
package sender
