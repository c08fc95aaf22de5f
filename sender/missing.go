package sender

import (
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// MissingQuery says which events to list that an endpoint has no delivery of.
type MissingQuery struct {
	// EndpointID is the endpoint.
	EndpointID string

	// Tenant is whose events are listed.
	Tenant string

	// Types select by the type of the event; empty means all.
	Types []webhook.Pattern

	// From and To bound when the event was stored, as in [DeliveryQuery].
	From, To time.Time

	// After is [MissingPage.Last] of the page before; 0 to begin. The rest of
	// the query must stay the same.
	After int64

	// Limit is how many to list at most; at least 1.
	Limit int

	// Bytes is about how much data and headers the events may have together.
	// The first one is listed whatever its size.
	Bytes int64

	// Whole has the events listed with Data and Headers.
	Whole bool
}

// MissingPage is a part of the events that an endpoint has no delivery of.
type MissingPage struct {
	Events []MissingEvent

	// Last is the number of the last event that was looked at; After of the
	// query when there was none.
	Last int64

	// More tells that there may be more after Last.
	More bool
}

// MissingEvent is an event that an endpoint has no delivery of.
type MissingEvent struct {
	// Seq is the store's number of the event; see [PutEvent.Seq].
	Seq int64

	// StoredAt is when it was stored.
	StoredAt time.Time

	// Event is the event, without Data and Headers unless [MissingQuery.Whole]
	// asks for them.
	Event *webhook.Event
}

// NewDelivery is a delivery that an event gets after it was stored.
type NewDelivery struct {
	// Seq and EndpointID name the delivery.
	Seq        int64
	EndpointID string

	// Due is when it may be attempted.
	Due time.Time

	// Added is set by the store: the delivery was not there, and is now.
	Added bool
}
