package receiver

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	// maxPlaceText is how long the text at a place may be, in bytes.
	maxPlaceText = 4096

	// maxPlaceItems is how many items of a list are looked at, and how many
	// signatures are tried.
	maxPlaceItems = 16

	// maxNumbered is the highest number that "{n}" stands for.
	maxNumbered = 100
)

// place is a [Place] ready for use.
type place struct {
	headers []string // in the canonical form of net/http; several for "{n}"
	query   string
	json    string
	path    int // the index of json in the paths of a template

	list, prefix string
}

// newPlace checks a place. The second result says in one sentence what is wrong
// with it, or is empty.
func newPlace(p Place, numbered bool) (place, string) {
	set := 0
	for _, name := range []string{p.Header, p.Query, p.JSON} {
		if name != "" {
			set++
		}
	}
	if set != 1 {
		return place{}, fmt.Sprintf("sets %d of header, query and json: set exactly one", set)
	}
	if strings.IndexFunc(p.List, func(c rune) bool { return c >= 0x80 }) >= 0 {
		return place{}, fmt.Sprintf("has the list %q: separate values by ASCII characters", p.List)
	}
	c := place{query: p.Query, json: p.JSON, list: p.List, prefix: p.Prefix}
	if p.JSON != "" && !isJSONPath(p.JSON) {
		return place{}, fmt.Sprintf("has the JSON path %q: write names with dots between them, such as event.id", p.JSON)
	}
	if p.Header == "" {
		return c, ""
	}
	before, after, several := strings.Cut(p.Header, "{n}")
	switch {
	case !isHeaderName(before + after):
		return place{}, fmt.Sprintf("has the header name %q: use letters, digits and hyphens", p.Header)
	case several && !numbered:
		return place{}, fmt.Sprintf("has {n} in the header name %q: only signatures may be in several headers", p.Header)
	case several:
		for n := 1; n <= maxNumbered; n++ {
			c.headers = append(c.headers, http.CanonicalHeaderKey(before+strconv.Itoa(n)+after))
		}
	default:
		c.headers = []string{http.CanonicalHeaderKey(p.Header)}
	}
	return c, ""
}

// isHeaderName tells whether name is a token as RFC 9110, section 5.6.2 has it.
func isHeaderName(name string) bool {
	return name != "" && strings.IndexFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	}) < 0
}

// errAmbiguous means that something that must be there once is there twice, or
// with two values.
var errAmbiguous = errors.New("it is there more than once")

// texts yields the text at each of the place's headers, or at the one other
// place; empty where there is none.
func (p *place) texts(in *inbound, doc *document) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, name := range p.headers {
			values := in.request.Header[name]
			if len(values) > 0 && !yield(single(values)) {
				return
			}
		}
		switch {
		case p.query != "":
			yield(parameterOf(in.request, p.query))
		case p.json != "":
			value := doc.value(p.path)
			if value.ambiguous {
				yield("", errAmbiguous)
				return
			}
			yield(value.text, nil)
		}
	}
}

// single is the one value of a header or parameter.
func single(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", errAmbiguous
	}
	return values[0], nil
}

func parameterOf(r *http.Request, name string) (string, error) {
	if r.URL == nil || r.URL.RawQuery == "" {
		return "", nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", nil //nolint:nilerr // what cannot be read is not there
	}
	return single(values[name])
}

// items yields the values in the text at a place: those with the prefix,
// without it, and not empty.
func (p *place) items(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for range maxPlaceItems {
			item, rest, more := text, "", false
			if p.list != "" {
				if at := strings.IndexAny(text, p.list); at >= 0 {
					item, rest, more = text[:at], text[at+1:], true
				}
				item = strings.Trim(item, " \t")
			}
			if value, ok := strings.CutPrefix(item, p.prefix); ok && value != "" && !yield(value) {
				return
			}
			if !more {
				return
			}
			text = rest
		}
	}
}

// one is the one value at the place, or empty if there is none.
func (p *place) one(in *inbound, doc *document) (string, error) {
	found := ""
	for text, err := range p.texts(in, doc) {
		if err != nil {
			return "", err
		}
		if len(text) > maxPlaceText {
			return "", fmt.Errorf("it is longer than %d bytes", maxPlaceText)
		}
		for value := range p.items(text) {
			if found != "" && found != value {
				return "", errAmbiguous
			}
			found = value
		}
	}
	return found, nil
}

// String names the place for an error message.
func (p *place) String() string {
	switch {
	case len(p.headers) > 0:
		return "the header " + p.headers[0]
	case p.query != "":
		return "the URL's parameter " + p.query
	}
	return "the JSON member " + p.json
}

// places are several, of which the first counts that has a value.
type places []place

// one is the value at the first place that has one, and its index; -1 where
// none has. Errors wrap [webhook.ErrSignatureMissing].
func (ps places) one(in *inbound, doc *document) (string, int, error) {
	for i := range ps {
		value, err := ps[i].one(in, doc)
		if err != nil {
			return "", -1, fmt.Errorf("%w: %s: %w", webhook.ErrSignatureMissing, &ps[i], err)
		}
		if value != "" {
			return value, i, nil
		}
	}
	return "", -1, nil
}
