package sender

import (
	"github.com/manysends/caddy-webhooks/webhook"
)

// Endpoint is a subscription: where events go, which ones, and how.
type Endpoint struct {
	// ID names the endpoint in the store, in logs and in metrics, and must be
	// unique. It has 1 to 128 letters, digits, "_", "-", "." or ":". Required.
	ID string `json:"id"`

	// Tenant is whose events the endpoint gets: those of one tenant, and "*" is
	// not one. Empty in a single-tenant set-up.
	Tenant string `json:"tenant,omitempty"`

	// URL is where deliveries are posted. It must be https, or http where
	// Egress.AllowHTTP says so. Required.
	URL string `json:"url"`

	// Description says what the endpoint is for, to people.
	Description string `json:"description,omitempty"`

	// Events selects event types: exact ones, "conversation.*", or "*".
	// Default: "*".
	Events []string `json:"events,omitempty"`

	// Filter is a CEL expression over event (the event type, a string) and data
	// (the event's data) that says whether the endpoint gets an event, such as
	// `data.priority == "high"`. An event that it cannot be worked out for, for
	// want of a member it names, is not for this endpoint. Default: every event
	// that Events selects.
	Filter string `json:"filter,omitempty"`

	// Secrets sign the deliveries, the newest first: "whsec_" (HMAC-SHA256) or
	// "whsk_" (Ed25519). Every one adds a signature, so that the receiver can
	// change over; the newest "whsec_" also makes the signature in the body.
	// Without any, deliveries are not signed.
	Secrets []string `json:"secrets,omitempty"`

	// Format is the layout of the body: manysends, standard, cloudevents or
	// raw, which sends what was published as it is, with its headers. Default:
	// manysends.
	Format webhook.Format `json:"format,omitempty"`

	// Rate limits the attempts, retries included. Default: no limit.
	Rate *webhook.Rate `json:"rate,omitempty"`

	// Concurrency is how many attempts may be under way at once. Default: 16.
	Concurrency int `json:"concurrency,omitempty"`

	// Ordering is "strict" to deliver one event after the other, in the order
	// they were published: a retry holds up those behind it until it has
	// succeeded or failed for good. A delivery that is blocked by the egress
	// rules holds up nothing. Default: as many at once as Concurrency
	// says, in about that order.
	Ordering string `json:"ordering,omitempty"`

	// Headers are sent with every delivery. Those that the delivery sets
	// itself cannot be replaced.
	Headers map[string]string `json:"headers,omitempty"`

	// Retry replaces Config.Retry for this endpoint.
	Retry []webhook.Duration `json:"retry,omitempty"`

	// Timeout replaces Config.Timeout for this endpoint. Default:
	// Config.Timeout.
	Timeout webhook.Duration `json:"timeout,omitzero"`
}
