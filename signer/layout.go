package signer

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/manysends/caddy-webhooks/receiver"
)

const (
	// numbered stands in the name of a header for a number from 1.
	numbered = "{n}"

	// mostSignatures is how many signatures a receiver tries.
	mostSignatures = 16

	// highestNumber is the highest that numbered stands for.
	highestNumber = 100
)

// layout is where a provider's values go, of the places that are headers.
type layout struct {
	id, timestamp []receiver.Place

	// signature are the places of signatures. With slots, each takes that of
	// one secret; otherwise each takes all, if it is a list, or the only one.
	signature []receiver.Place
	slots     bool
}

// newLayout finds the headers of a template. The second result says in one
// sentence why there is no way to write what it needs, or is empty.
func newLayout(t *receiver.Template) (*layout, string) {
	l := &layout{id: headersOf(t.ID), timestamp: headersOf(t.Timestamp), signature: headersOf(t.Signature)}
	if len(l.signature) == 0 {
		return nil, "its signature is in no header, but inside the body or the URL, which must stay as they are"
	}
	// With a header twice, or no list, there is one signature in each place.
	l.slots = l.signature[0].List == ""
	for i, p := range l.signature {
		for _, other := range l.signature[:i] {
			l.slots = l.slots || http.CanonicalHeaderKey(other.Header) == http.CanonicalHeaderKey(p.Header)
		}
	}
	lists := make(map[string]string) // what separates the values of a header
	for _, p := range l.all() {
		name := http.CanonicalHeaderKey(p.Header)
		if list, there := lists[name]; there && (p.List == "" || p.List != list) {
			return nil, fmt.Sprintf("the header %s holds two values, and nothing says what is between them: give both the same list", p.Header)
		}
		lists[name] = p.List
	}
	return l, ""
}

// headersOf are the places that are headers.
func headersOf(places []receiver.Place) (headers []receiver.Place) {
	for _, p := range places {
		if p.Header != "" {
			headers = append(headers, p)
		}
	}
	return headers
}

// all are the places, in the order that values have in a header which they
// share.
func (l *layout) all() []receiver.Place {
	list := append([]receiver.Place(nil), l.timestamp...)
	return append(append(list, l.id...), l.signature...)
}

// room is how many signatures a request can hold.
func (l *layout) room(standard bool) int {
	switch {
	case standard || !l.slots || strings.Contains(l.signature[0].Header, numbered):
		return mostSignatures
	default:
		return len(l.signature)
	}
}

// clear removes what a request brought along in the places of its timestamp and
// its signatures. IDs are replaced, not removed.
func (l *layout) clear(h http.Header) {
	for _, p := range l.timestamp {
		h.Del(p.Header)
	}
	for _, p := range l.signature {
		before, after, several := strings.Cut(p.Header, numbered)
		if !several {
			h.Del(p.Header)
			continue
		}
		for n := 1; n <= highestNumber; n++ {
			h.Del(before + strconv.Itoa(n) + after)
		}
	}
}

// write sets a value in each of the places. Headers in begun hold values of
// this request already; they get one more.
func write(h http.Header, begun map[string]bool, places []receiver.Place, value string) {
	for _, p := range places {
		writeOne(h, begun, p, value)
	}
}

func writeOne(h http.Header, begun map[string]bool, p receiver.Place, value string) {
	name := http.CanonicalHeaderKey(p.Header)
	value = p.Prefix + value
	if begun[name] {
		value = h[name][0] + p.List[:1] + value
	}
	begun[name] = true
	h[name] = []string{value}
}

// writeSignatures sets the signatures, which are as many as there are secrets.
func (l *layout) writeSignatures(h http.Header, begun map[string]bool, signatures []string) {
	if !l.slots {
		for _, p := range l.signature {
			for _, s := range signatures {
				writeOne(h, begun, p, s)
			}
		}
		return
	}
	if before, after, several := strings.Cut(l.signature[0].Header, numbered); several {
		for i, s := range signatures {
			p := l.signature[0]
			p.Header = before + strconv.Itoa(i+1) + after
			writeOne(h, begun, p, s)
		}
		return
	}
	if len(signatures) > 1 {
		for i, s := range signatures {
			writeOne(h, begun, l.signature[i], s)
		}
		return
	}
	// The places are several names of one thing: each gets it, but no header
	// gets it twice.
	written := make(map[string]bool)
	for _, p := range l.signature {
		if name := http.CanonicalHeaderKey(p.Header); !written[name] {
			written[name] = true
			writeOne(h, begun, p, signatures[0])
		}
	}
}

// names tells whether a header is one of those that are written.
func (l *layout) names(header string) bool {
	for _, p := range l.all() {
		before, after, several := strings.Cut(p.Header, numbered)
		if strings.EqualFold(p.Header, header) ||
			several && len(header) > len(before)+len(after) && strings.EqualFold(header[:len(before)], before) && strings.EqualFold(header[len(header)-len(after):], after) {
			return true
		}
	}
	return false
}
