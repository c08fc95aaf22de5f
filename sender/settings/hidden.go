package settings

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/internal/jsonkind"
	"github.com/manysends/caddy-webhooks/sender"
)

// hidden stands in answers for what may be a credential. In a change it stands
// for the present value.
const hidden = "[hidden]"

// hide hides what may be a credential in an endpoint: the values of its
// headers, and the user name and password in its URL.
func hide(e *sender.Endpoint) {
	e.Secrets = nil
	if u := parseURL(e.URL); u.User != nil {
		u.User = url.User(hidden)
		e.URL = u.String()
	}
	if e.Headers == nil {
		return
	}
	headers := make(map[string]string, len(e.Headers))
	for name := range e.Headers {
		headers[name] = hidden
	}
	e.Headers = headers
}

// address reads a URL. Whoever may change it must not have a password sent
// elsewhere that he does not know, so that what is hidden stays with its host.
func address(dst *string) func(jsontext.Value) error {
	return parsed(dst, "a string such as \"https://example.com/hooks\"", func(s string) (string, error) {
		u := parseURL(s)
		if u.User == nil || u.User.String() != url.User(hidden).String() {
			return s, nil
		}
		present := parseURL(*dst)
		if present.User == nil || !sameHost(present, u) {
			return "", errors.New("the user name and password are hidden, and only the present ones of the same host can be left so: write them out")
		}
		u.User = present.User
		return u.String(), nil
	})
}

// sameHost tells whether two URLs lead to the same place, over the same scheme.
func sameHost(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// stayWithHost refuses a change that would have the values of headers sent to
// another host which whoever makes it may not know, for they are hidden: those
// that it does not name, or names [hidden]. Headers is what it says of them, if
// anything. A URL that is none is for the sender to refuse.
func stayWithHost(before, after *sender.Endpoint, headers jsontext.Value) error {
	to := parseURL(after.URL)
	if to.Host == "" || to.Scheme != "http" && to.Scheme != "https" || sameHost(parseURL(before.URL), to) {
		return nil
	}
	var given map[string]any
	if headers != nil {
		if err := json.Unmarshal(headers, &given); err != nil {
			return err
		}
	}
	written := make(map[string]bool)
	for name, value := range given {
		written[strings.ToLower(name)] = value != hidden
	}
	for _, name := range slices.Sorted(maps.Keys(after.Headers)) {
		if !written[strings.ToLower(name)] {
			return fmt.Errorf("the value of %q is hidden, and stays with the present host: write it out, or remove the header", name)
		}
	}
	return nil
}

// parseURL takes a URL apart. One that is none has no parts: what is wrong with
// it is for the sender to say.
func parseURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		return new(url.URL)
	}
	return u
}

// headers reads changes of the headers, as JSON Merge Patch (RFC 7396) has it:
// those that are not named stay, and null removes one.
func headers(dst *map[string]string) func(jsontext.Value) error {
	return func(v jsontext.Value) error {
		switch v.Kind() {
		case 'n':
			*dst = nil
			return nil
		case '{':
		default:
			return expected(v, "an object of header names and values")
		}
		next := maps.Clone(*dst)
		if next == nil {
			next = make(map[string]string)
		}
		d := jsontext.NewDecoder(bytes.NewReader(v))
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		given := make(map[string]bool)
		for d.PeekKind() != '}' {
			token, err := d.ReadToken()
			if err != nil {
				return err
			}
			name := token.String()
			value, err := d.ReadValue()
			if err != nil {
				return err
			}
			folded := strings.ToLower(name)
			if given[folded] {
				return fmt.Errorf("%q stands twice: keep one", name)
			}
			given[folded] = true
			if err := setHeader(next, name, value); err != nil {
				return err
			}
		}
		if *dst = next; len(next) == 0 {
			*dst = nil
		}
		return nil
	}
}

// setHeader sets one header, or removes it. Errors never hold a value.
func setHeader(headers map[string]string, name string, value jsontext.Value) error {
	present, had := "", false
	for other, v := range headers { // the names of headers have no case
		if strings.EqualFold(other, name) {
			present, had = v, true
			delete(headers, other)
		}
	}
	switch value.Kind() {
	case 'n':
		return nil
	case '"':
	default:
		return fmt.Errorf("%q is a JSON %s: write a string, or null to remove the header", name, jsonkind.Name(value.Kind()))
	}
	s, err := unquote(value)
	if err != nil {
		return err
	}
	if s == hidden {
		if !had {
			return fmt.Errorf("%q has no present value that %s could stand for: write the value", name, hidden)
		}
		s = present
	}
	headers[name] = s
	return nil
}
