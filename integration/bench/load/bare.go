package load

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// bareSender posts with net/http what a delivery is made of, and keeps nothing.
type bareSender struct {
	client *http.Client
	url    string
	event  webhook.Event
	secret *webhook.Secret
}

func newBareSender(j *Job, secret *webhook.Secret, transport *http.Transport) *bareSender {
	return &bareSender{
		client: &http.Client{Transport: transport},
		url:    "http://" + j.Address + j.Path,
		event:  webhook.Event{Type: j.Type, Data: []byte(data(j.Payload))},
		secret: secret,
	}
}

func (s *bareSender) send(ctx context.Context, m Mark) (int, error) {
	now := time.Now()
	s.event.ID, s.event.Timestamp = m.String(), now
	body, contentType := webhook.FormatManySends.AppendBody(nil, &s.event, s.secret)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", contentType)
	webhook.SetHeaders(req.Header, []webhook.Signer{s.secret}, s.event.ID, now, body)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (s *bareSender) close() {}
