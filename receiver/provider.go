package receiver

import (
	"net/http"
	"slices"
	"strings"
)

// Provider is one entry of [Providers].
type Provider struct {
	// Name is the value of [Config].Provider.
	Name string `json:"name"`

	// Title is the provider's own name, such as "GitHub".
	Title string `json:"title,omitempty"`

	// Description says in one sentence whose requests it accepts, and which
	// secret it takes.
	Description string `json:"description"`

	// Source is where its rules are documented: a URL.
	Source string `json:"source,omitempty"`

	// Experimental tells that the rules could not be checked against the
	// provider's own software, a published example, or its documentation.
	Experimental bool `json:"experimental,omitempty"`

	// Timestamped tells that the signature covers the time of sending, so that
	// [Config].Tolerance applies. Without it a captured request is refused only
	// as a duplicate.
	Timestamped bool `json:"timestamped,omitempty"`

	// IDSigned tells that the signature covers the event ID, so that events are
	// told apart by it; otherwise, or where a request has none, they are told
	// apart by their signed content.
	IDSigned bool `json:"id_signed,omitempty"`

	// Alike tells that different events may look the same, so that duplicates
	// cannot be told and [Config].Dedupe does not apply.
	Alike bool `json:"alike,omitempty"`

	// Keyless tells that the provider publishes its keys, so that it takes no
	// secrets.
	Keyless bool `json:"keyless,omitempty"`

	// Parameters are what it needs besides secrets.
	Parameters []Parameter `json:"parameters,omitempty"`
}

// Parameter is something that a provider needs besides secrets.
type Parameter struct {
	// Name is its key in [Config].Parameters.
	Name string `json:"name"`

	// Description says in one sentence what it is.
	Description string `json:"description"`

	// Required tells that there is no doing without.
	Required bool `json:"required,omitempty"`
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
// to another. It is verified by newScheme, by template, or as standard says.
type provider struct {
	Provider

	// template says how requests are signed. What follows from it need not be
	// set: see [provider.use].
	template *Template

	// standard tells that requests are signed as Standard Webhooks says.
	standard bool

	// newScheme reads the secrets into the check that this provider's
	// signatures need. It is the only check: nothing falls back to another.
	newScheme func(o schemeOptions) (scheme, error)

	// id is where the event ID is, if the scheme does not tell. Whether the
	// signature covers it is said by IDSigned.
	id source

	// claims are what makes two requests the same event. An ID that the
	// signature does not cover must not stand alone here, or a captured
	// request could be replayed under a fresh one. Where there is no ID, the
	// content is claimed in its place.
	claims []claimOf

	// eventType is where the event type is, if the scheme does not tell.
	eventType source

	// handshake is how the provider makes sure of an endpoint.
	handshake handshake

	// decompress tells that the signature covers the body as it was before it
	// was compressed, unless [Config].Decompress says otherwise.
	decompress bool
}

// use makes the template the provider's, with what follows from it. It returns
// what is wrong with the template.
func (p *provider) use(t *Template) (problems []string) {
	p.template = t
	if p.newScheme == nil {
		p.newScheme = newTemplateScheme
	}
	compiled, problems := t.compile()
	if len(problems) > 0 {
		return problems
	}
	p.Timestamped = len(compiled.timestamp) > 0
	p.IDSigned = compiled.idSigned
	p.claims = []claimOf{claimContent}
	if compiled.idSigned {
		p.claims = []claimOf{claimID}
	}
	return nil
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

// customName is the provider whose template is configured.
const customName = "custom"

// providers is the table, in the order of the names.
var providers = table(
	standardProviders,
	gitProviders,
	messageProviders,
	moneyProviders,
	platformProviders,
	shopProviders,
	specialProviders,
	workProviders,
)

// table joins rows, makes their templates ready and sorts them by name.
func table(groups ...[]provider) []provider {
	rows := slices.Concat(groups...)
	for i := range rows {
		if rows[i].standard {
			rows[i].newScheme = newHeaderScheme
		}
		if rows[i].template != nil {
			rows[i].use(rows[i].template) // a test sees to it that all are right
		}
		rows[i].shake()
	}
	slices.SortFunc(rows, func(a, b provider) int { return strings.Compare(a.Name, b.Name) })
	return rows
}

// findProvider is the row of that name, or nil.
func findProvider(name string) *provider {
	i := slices.IndexFunc(providers, func(p provider) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &providers[i]
}

// nearProviders names the providers that an unknown name may stand for, or all
// of them, for an error message.
func nearProviders(name string) string {
	var near, all []string
	for _, p := range providers {
		if p.Name == customName {
			continue
		}
		all = append(all, p.Name)
		if n := min(3, len(name), len(p.Name)); n == 3 && strings.EqualFold(p.Name[:n], name[:n]) {
			near = append(near, p.Name)
		}
	}
	if len(near) == 0 {
		near = all
	}
	return strings.Join(near, ", ")
}
