package receiver

import (
	"net/http"
	"slices"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Provider is one entry of [Providers].
type Provider struct {
	// Name is the value of [Config].Provider.
	Name string `json:"name"`

	// Description says in one sentence whose requests it accepts.
	Description string `json:"description"`
}

// Providers lists the providers that [Config].Provider may name, by name. The
// slice is new at each call.
func Providers() []Provider {
	list := make([]Provider, len(providers))
	for i, p := range providers {
		list[i] = p.Provider
	}
	return list
}

// provider is a row of the table: everything that differs from one provider
// to another.
type provider struct {
	Provider

	// newScheme reads the secrets into the check that this provider's
	// signatures need. It is the only check: nothing falls back to another.
	newScheme func(secrets []string) (scheme, error)

	// id is where the event ID is, and idSigned tells whether the signature
	// covers it.
	id       source
	idSigned bool

	// claims are what makes two requests the same event. An ID that the
	// signature does not cover must not stand alone here, or a captured
	// request could be replayed under a fresh one.
	claims []claimOf

	// eventType is where the event type is.
	eventType source
}

// source is a place in a request that a value is taken from: a header or a
// top-level member of a JSON body. The zero value is nowhere.
type source struct {
	header string // in the canonical form of net/http
	member string
}

// of is the value of a header that is there exactly once, otherwise empty.
func (s source) of(r *http.Request) string {
	if values := r.Header[s.header]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// claimOf is what a key of the seen-set is made from.
type claimOf string

const (
	// claimID is the event ID.
	claimID claimOf = "id"

	// claimContent is a digest of the bytes that the signature covers.
	claimContent claimOf = "content"
)

// providers is the table, in the order of the names.
var providers = []provider{
	{
		Provider: Provider{
			Name:        "manysends",
			Description: "Webhooks of ManySends: the Standard Webhooks headers over the exact body; the event type is the body member \"event\".",
		},
		newScheme: newHeaderScheme,
		id:        source{header: webhook.HeaderID},
		idSigned:  true,
		claims:    []claimOf{claimID},
		eventType: source{member: "event"},
	},
	{
		// What a relay does to the headers does not matter here, so the ID is
		// only for people to read. It is not claimed: the signature does not
		// cover it, so whoever has one authentic body could use up the ID of
		// an event that is still to come, and a relay that sends the same ID
		// each time would lose all events but the first. The content is what
		// the provider vouches for, so the content alone decides: the same
		// content under a fresh ID is a duplicate, and other content under
		// the same ID is another event.
		Provider: Provider{
			Name:        "manysends_body",
			Description: "Webhooks of ManySends through a relay that passes on nothing but the body: the signature is the body's last member. It carries no time of sending, so tolerance does not apply.",
		},
		newScheme: newBodyScheme,
		id:        source{header: webhook.HeaderID},
		claims:    []claimOf{claimContent},
		eventType: source{member: "event"},
	},
	{
		Provider: Provider{
			Name:        "standard",
			Description: "Any sender that follows Standard Webhooks (webhook-id, webhook-timestamp and webhook-signature); the event type is the body member \"type\".",
		},
		newScheme: newHeaderScheme,
		id:        source{header: webhook.HeaderID},
		idSigned:  true,
		claims:    []claimOf{claimID},
		eventType: source{member: "type"},
	},
}

// findProvider is the row of that name, or nil.
func findProvider(name string) *provider {
	i := slices.IndexFunc(providers, func(p provider) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &providers[i]
}

// providerNames lists the names for an error message.
func providerNames() string {
	names := make([]string, len(providers))
	for i, p := range providers {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}
