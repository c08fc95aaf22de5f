package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/manysends/caddy-webhooks/egress"
	"github.com/manysends/caddy-webhooks/webhook"
)

// publicClient is the client that fetches keys and certificates when none is
// given.
var publicClient = sync.OnceValue(egress.NewClient)

// fetchingClient is the client to fetch with. Redirects are not followed: they
// could lead to a host that was not checked.
func fetchingClient(given *http.Client) *http.Client {
	if given == nil {
		given = publicClient()
	}
	client := *given
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// errNotPublished means that a provider answered, and that there is no such key.
var errNotPublished = errors.New("there is no such key")

// send makes a request and returns at most limit bytes of what a 200 answers.
// Errors wrap [ErrKeysUnavailable], or errNotPublished after a status of 400 to
// 499 that does not ask for patience.
func send(client *http.Client, r *http.Request, limit int64) ([]byte, error) {
	host := r.URL.Host
	resp, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: asking %s: %w", ErrKeysUnavailable, host, withoutURL(err))
	}
	defer resp.Body.Close()
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
	case status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout:
		return nil, fmt.Errorf("%w: %s answers with status %d", errNotPublished, host, status)
	default:
		return nil, fmt.Errorf("%w: %s answers with status %d", ErrKeysUnavailable, host, status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: reading from %s: %w", ErrKeysUnavailable, host, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%w: what %s answers is larger than %d bytes", ErrKeysUnavailable, host, limit)
	}
	return text, nil
}

// get is [send] for a URL.
func get(ctx context.Context, client *http.Client, address string, limit int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%w: the address of a key is malformed", webhook.ErrSignatureMismatch)
	}
	return send(client, r, limit)
}
