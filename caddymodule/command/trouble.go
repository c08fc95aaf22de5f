package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// errSilent is why a request is given up that gets no answer.
var errSilent = errors.New("no answer came in time")

// refusal is what Caddy has answered instead of doing it.
type refusal struct {
	status   int
	sentence string
	field    string        // what of the request is to blame; empty when it does not say
	after    time.Duration // when to try again; 0 when it does not say
}

func (e *refusal) Error() string { return e.sentence }

// refusal reads an answer that is not a success.
func (c *client) refusal(resp *http.Response, answer []byte) error {
	// Caddy's own errors have one form, problem details (RFC 9457) the other.
	var said struct{ Error, Detail, Field string }
	err := json.Unmarshal(answer, &said)
	sentence := said.Detail
	if sentence == "" {
		sentence = said.Error
	}
	switch {
	case err != nil && resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("the Caddy at %s does not know this request: it was built without these webhooks, or with an older version of them: run `caddy webhooks` of the same build, or update and restart it", c.address)
	case err != nil:
		return c.stranger()
	case resp.StatusCode == http.StatusMethodNotAllowed: // such as webhook_publish answers, at any path
		return fmt.Errorf("what answers at %s does not take this request: it is not the admin API of Caddy, whose address --address takes, or has an older version of these webhooks", c.address)
	case sentence == "":
		sentence = "Caddy answered " + resp.Status
	case said.Detail == "" && resp.StatusCode == http.StatusForbidden:
		// Its admin API answers to some names, and these commands need no others.
		sentence += ": give by --address the address that its admin API has in the configuration"
	}
	r := &refusal{status: resp.StatusCode, sentence: sentence, field: said.Field}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.after = time.Duration(seconds) * time.Second
	}
	return r
}

// stranger is the error of an answer that is none of the admin API's.
func (c *client) stranger() error {
	return fmt.Errorf("what answers at %s is not the admin API of Caddy: give its address by --address, or the configuration file by --config", c.address)
}

// unreachable is the error of a request that got no whole answer.
type unreachable struct {
	sentence string
	cause    error
}

func (e *unreachable) Error() string { return e.sentence }

func (e *unreachable) Unwrap() error { return e.cause }

// unreachable says what to do when a request got no whole answer.
func (c *client) unreachable(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return context.Canceled
	}
	const find = "give the address of its admin API by --address, or its configuration file by --config"
	op, dialing := errors.AsType[*net.OpError](err)
	dialing = dialing && op.Op == "dial"
	var sentence string
	switch {
	case errors.Is(err, fs.ErrPermission):
		sentence = fmt.Sprintf("the admin API at %s may not be used by this user: run the command as the user of Caddy", c.address)
	case dialing:
		sentence = fmt.Sprintf("no Caddy answers at %s (%s): start it, or %s; with `admin off` it has none", c.address, reason(err), find)
	case errors.Is(context.Cause(ctx), errSilent):
		sentence = fmt.Sprintf("the Caddy at %s has not answered within %v: look into its log", c.address, answerTimeout)
	default:
		sentence = fmt.Sprintf("the connection to Caddy at %s was lost (%s): try again, and look into its log if it stays so", c.address, reason(err))
	}
	return &unreachable{sentence, err}
}

// isTransient tells that an error may go away by itself, as it does when Caddy
// reloads or restarts: for a moment its admin API is there, and nothing else.
func isTransient(err error) bool {
	if _, ok := errors.AsType[*unreachable](err); ok {
		return true
	}
	r, ok := errors.AsType[*refusal](err)
	return ok && (r.status == http.StatusServiceUnavailable || r.status == http.StatusNotFound)
}

// reason is the innermost of an error: connection refused, no such host.
func reason(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return strings.TrimPrefix(err.Error(), "lookup ")
		}
		err = inner
	}
}
