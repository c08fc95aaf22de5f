package sender

import (
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// DeliveryQuery says which deliveries to list. The zero value selects all.
type DeliveryQuery struct {
	// Tenant is whose deliveries are listed; nil means everybody's.
	Tenant *string

	// EndpointIDs are the endpoints; empty means all.
	EndpointIDs []string

	// Statuses are the statuses; empty means all.
	Statuses []Status

	// Types select by the type of the event; empty means all.
	Types []webhook.Pattern

	// From and To bound when the event was stored: at From or later, and before
	// To. Zero means no bound.
	From, To time.Time

	// OldestFirst turns the order round.
	OldestFirst bool

	// Cursor is [DeliveryPage.Next] of the page before; empty to begin. The
	// rest of the query must stay the same.
	Cursor string

	// Limit is how many to list at most; at least 1.
	Limit int
}

// DeliveryPage is a part of a listing.
type DeliveryPage struct {
	Deliveries []DeliverySummary

	// Next is the cursor of the page after; empty when there is none.
	Next string
}

// DeliverySummary is a delivery as it is listed.
type DeliverySummary struct {
	// Delivery has an Event without Data and Headers.
	Delivery

	// Last is the last attempt, without its headers and body; nil when none has
	// been recorded.
	Last *Attempt
}
