package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// root begins the paths of the admin API.
const root = "/webhooks/"

const (
	// dialTimeout bounds the connecting to Caddy, which is near.
	dialTimeout = 10 * time.Second

	// answerTimeout bounds a request that Caddy answers out of its store.
	answerTimeout = time.Minute

	// maxAnswer bounds an answer, in bytes: a page of deliveries, or an event
	// with its data.
	maxAnswer = 64 << 20

	// maxRefusal is the same for an answer that is no success.
	maxRefusal = 1 << 20
)

// client speaks with the admin API of a Caddy.
type client struct {
	address string // as the user knows it
	origin  string // scheme and host of the requests
	browser bool   // whether Caddy may want to see an Origin
	http    *http.Client
}

// newClient makes a client of the admin API at a network address as Caddy
// writes them, such as localhost:2019 or unix//run/caddy.sock.
func newClient(address string) (*client, error) {
	notUnderstood := fmt.Errorf("the address %q of the admin API is not understood: write host:port, or unix//path for a socket", address)
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", notUnderstood, err)
	}
	if strings.Contains(address, "://") {
		return nil, notUnderstood
	}
	if parsed.PortRangeSize() > 1 {
		return nil, fmt.Errorf("the address %q of the admin API has several ports: give one of them", address)
	}
	if parsed.Host == "" { // all addresses, of which this one is near, and known to every Caddy
		parsed.Host = "localhost"
	}
	c := &client{address: address, origin: "http://127.0.0.1"}
	network, target := parsed.Network, parsed.JoinHostPort(0)
	switch {
	case parsed.IsUnixNetwork():
		// What follows the path is the permissions that Caddy gives it.
		target, _, _ = strings.Cut(parsed.Host, "|")
	case !parsed.IsFdNetwork():
		c.origin = "http://" + target
		c.browser = true
		if _, err := url.Parse(c.origin); err != nil {
			return nil, notUnderstood
		}
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, target)
		},
		// At a reload Caddy may close a kept connection just when a request is
		// sent on it.
		DisableKeepAlives: true,
	}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// request is one request to the admin API.
type request struct {
	method string
	path   string // below root
	query  url.Values
	body   any // sent as JSON; nil for none
	slow   bool
}

// get asks for something.
func (c *client) get(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	return c.do(ctx, request{method: http.MethodGet, path: path, query: query})
}

// do makes a request and returns the JSON that was answered; nil for none.
func (c *client) do(ctx context.Context, r request) (json.RawMessage, error) {
	if !r.slow {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, answerTimeout, errSilent)
		defer cancel()
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	switch {
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("the answer is larger than %d MiB: ask for less", maxAnswer>>20)
	case len(bytes.TrimSpace(answer)) == 0:
		return nil, nil
	case !json.Valid(answer):
		return nil, c.stranger()
	}
	return answer, nil
}

// ask makes a request and decodes the answer into v.
func (c *client) ask(ctx context.Context, r request, v any) (json.RawMessage, error) {
	answer, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(answer, v); err != nil {
		return nil, c.stranger()
	}
	return answer, nil
}

// send makes a request and returns the answer, unless it is a refusal.
func (c *client) send(ctx context.Context, r request) (*http.Response, error) {
	resp, err := c.try(ctx, r, c.browser)
	// A Caddy that enforces the origin wants to see one. Another refuses what it
	// does not know, such as localhost where it listens on all addresses, and
	// takes requests without one, as they come from other programs.
	if refused, ok := errors.AsType[*refusal](err); ok && refused.status == http.StatusForbidden && c.browser {
		if again, err := c.try(ctx, r, false); err == nil {
			return again, nil
		}
	}
	return resp, err
}

// try makes a request, with an Origin or without.
func (c *client) try(ctx context.Context, r request, origin bool) (*http.Response, error) {
	target := c.origin + root + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if origin {
		req.Header.Set("Origin", c.origin)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return nil, c.refusal(resp, answer)
}

// segment escapes a part of a path such that it is one, even if it is made of
// dots.
func segment(s string) string {
	return strings.ReplaceAll(url.PathEscape(s), ".", "%2E")
}

// isNotFound tells that there is no such thing, while the API is there.
func isNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// isAmbiguous tells that there are several of this ID.
func isAmbiguous(err error) bool { return hasStatus(err, http.StatusConflict) }

func hasStatus(err error, status int) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.status == status
}
