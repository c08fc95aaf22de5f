package signer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/signer"
	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	vectorSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	otherSecret  = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	vectorID     = "evt_0192f0c1a2b37c4d8e5f60718293a4b5"
	vectorBody   = `{"event":"conversation.created","timestamp":"2024-03-05T10:30:00Z","data":{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456},"signature":"sha256=a402d95ddc0a0141cbc0b1f3b759444d2da52b6f41d53678c2227af07e6a30ad"}`
)

// TestHeaders guards what exactly is written, where it is known from elsewhere
// or where a request has values already.
func TestHeaders(t *testing.T) {
	mixed := &receiver.Template{
		Content:   "{id}.{timestamp}.{body}",
		Signature: []receiver.Place{{Header: "X-Sign", List: ",;", Prefix: "v1="}},
		Timestamp: []receiver.Place{{Header: "X-Sign", List: ",;", Prefix: "t="}},
		ID:        []receiver.Place{{Header: "X-Sign", List: ",;", Prefix: "id="}},
	}
	tests := []struct {
		name   string
		cfg    signer.Config
		header http.Header
		body   string
		want   http.Header // empty values: whatever they are
	}{
		{
			"the documented vector",
			signer.Config{Provider: "manysends", Secrets: []string{vectorSecret}, ID: vectorID}, nil, vectorBody,
			http.Header{"Webhook-Id": {vectorID}, "Webhook-Timestamp": {"1709634600"}, "Webhook-Signature": {"v1,lzeWAiyRfH2KxX8DXuSUfMd0jhG7k2flAAwnTUfduFM="}},
		},
		{
			"an ID of its own and a forged signature",
			signer.Config{Provider: "standard", Secrets: []string{vectorSecret}},
			http.Header{"Webhook-Id": {vectorID}, "Webhook-Timestamp": {"1", "2"}, "Webhook-Signature": {"v1,forged"}}, vectorBody,
			http.Header{"Webhook-Id": {vectorID}, "Webhook-Timestamp": {"1709634600"}, "Webhook-Signature": {"v1,lzeWAiyRfH2KxX8DXuSUfMd0jhG7k2flAAwnTUfduFM="}},
		},
		{
			"an ID of its own that is overruled",
			signer.Config{Provider: "standard", Secrets: []string{vectorSecret}, ID: vectorID},
			http.Header{"Webhook-Id": {"evt_other", "evt_twice"}}, vectorBody,
			http.Header{"Webhook-Id": {vectorID}, "Webhook-Timestamp": {"1709634600"}, "Webhook-Signature": {"v1,lzeWAiyRfH2KxX8DXuSUfMd0jhG7k2flAAwnTUfduFM="}},
		},
		{
			"a new ID",
			signer.Config{Provider: "standard", Secrets: []string{vectorSecret}}, nil, "",
			http.Header{"Webhook-Id": {"evt_018e0e29bc4070008000000000000000"}, "Webhook-Timestamp": {"1709634600"}, "Webhook-Signature": {""}},
		},
		{
			"a new ID for another provider",
			signer.Config{Provider: "gogs", Secrets: []string{"secret"}}, nil, "",
			http.Header{"X-Gogs-Delivery": {"018e0e29-bc40-7000-8000-000000000000"}, "X-Gogs-Signature": {""}},
		},
		{
			"several names of one thing, of which the request has one",
			signer.Config{Provider: "svix", Secrets: []string{vectorSecret}},
			http.Header{"Webhook-Id": {"msg_1"}, "Svix-Signature": {"v1,forged"}}, "{}",
			http.Header{
				"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {"1709634600"}, "Webhook-Signature": {""},
				"Svix-Id": {"msg_1"}, "Svix-Timestamp": {"1709634600"}, "Svix-Signature": {""},
			},
		},
		{
			"numbered headers, of which the request brings one along",
			signer.Config{Provider: "docusign", Secrets: []string{"a", "b"}},
			http.Header{"X-Docusign-Signature-9": {"forged"}, "X-Docusign-Signature": {"another header"}}, "{}",
			http.Header{"X-Docusign-Signature-1": {""}, "X-Docusign-Signature-2": {""}, "X-Docusign-Signature": {"another header"}},
		},
		{
			"a secret that is sent as it is",
			signer.Config{Provider: "gitlab_token", Secrets: []string{"a secret"}, ID: "x"}, nil, "{}",
			http.Header{"X-Gitlab-Token": {"a secret"}, "X-Gitlab-Event-Uuid": {"x"}},
		},
		{
			"everything in one header, with what openssl signs",
			signer.Config{Provider: "custom", Template: mixed, Secrets: []string{"a", "b"}},
			http.Header{"X-Sign": {"id=mine,t=1;v1=forged"}}, "",
			http.Header{"X-Sign": {"t=1709634600,id=mine,v1=aa1c5d58b0fd083e9e3ecae343c908cddcede0f585010c441a19c43b2c0269b9,v1=e06a12349a1fcb6418864a17553f9b9a6e6bc74964fff3b14c91585a5baea3d5"}},
		},
		{
			"headers that are named for the next hop",
			signer.Config{Provider: "github", Secrets: []string{"secret"}, ID: "x"},
			http.Header{"Connection": {"keep-alive, x-hub-signature-256", "X-Other,X-Github-Delivery"}}, "{}",
			http.Header{"Connection": {"keep-alive, X-Other"}, "X-Github-Delivery": {"x"}, "X-Hub-Signature-256": {""}},
		},
		{
			"headers that alone are named for the next hop",
			signer.Config{Provider: "docusign", Secrets: []string{"secret"}},
			http.Header{"Connection": {"x-docusign-signature-1"}}, "{}",
			http.Header{"X-Docusign-Signature-1": {""}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, testURL, strings.NewReader(tt.body))
			for name, values := range tt.header {
				r.Header[name] = values
			}
			sign(t, newSigner(t, tt.cfg), r)
			for name, values := range tt.want {
				if values[0] == "" && len(r.Header[name]) == 1 && r.Header[name][0] != "" {
					tt.want[name] = r.Header[name]
				}
			}
			if diff := cmp.Diff(tt.want, r.Header); diff != "" {
				t.Errorf("wanted (-) and written (+) headers differ:\n%s", diff)
			}
		})
	}
}

// broken is a body that ends in an error.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
func (broken) Close() error               { return nil }

// noted is a body that notes that it was closed.
type noted struct {
	io.Reader
	closed bool
}

func (n *noted) Close() error {
	n.closed = true
	return nil
}

// TestBodies guards that a body is passed on as it came, whole and as often as
// needed, and that one which is too large or broken is told apart.
func TestBodies(t *testing.T) {
	const limit = 100 << 10
	s := newSigner(t, signer.Config{Provider: "github", Secrets: []string{"secret"}, MaxSize: limit})
	whole := bytes.Repeat([]byte("x"), limit)
	tests := []struct {
		name   string
		body   io.ReadCloser
		length int64
		want   []byte
		err    error
	}{
		{"none", nil, 0, nil, nil},
		{"none, as a client has it", http.NoBody, 0, nil, nil},
		{"empty of unknown length", io.NopCloser(strings.NewReader("")), -1, nil, nil},
		{"as large as allowed", io.NopCloser(bytes.NewReader(whole)), limit, whole, nil},
		{"as large as allowed, of unknown length", io.NopCloser(bytes.NewReader(whole)), -1, whole, nil},
		{"too large", io.NopCloser(bytes.NewReader(append(whole, 'x'))), -1, nil, signer.ErrTooLarge},
		{"announced as too large", broken{errors.New("it was read")}, limit + 1, nil, signer.ErrTooLarge},
		{"limited elsewhere", broken{&http.MaxBytesError{Limit: 5}}, -1, nil, signer.ErrTooLarge},
		{"broken", broken{io.ErrUnexpectedEOF}, -1, nil, signer.ErrRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, testURL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Body, r.ContentLength, r.TransferEncoding = tt.body, tt.length, []string{"chunked"}
			r.Trailer = http.Header{"X-Late": {"unsigned"}}
			err = s.Sign(r)
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			again, _ := r.GetBody()
			for i, body := range []io.Reader{r.Body, again} {
				got, err := io.ReadAll(body)
				if err != nil || !bytes.Equal(got, tt.want) {
					t.Errorf("reading %d gave %d bytes, want %d, and %v", i+1, len(got), len(tt.want), err)
				}
			}
			if r.ContentLength != int64(len(tt.want)) || r.TransferEncoding != nil || r.Trailer != nil {
				t.Errorf("length %d, want %d; transfer encoding %v and trailer %v, want none", r.ContentLength, len(tt.want), r.TransferEncoding, r.Trailer)
			}
			if len(tt.want) == 0 && r.Body != http.NoBody {
				t.Error("a request without a body does not say so")
			}
		})
	}
	tunnel := &http.Request{Method: http.MethodConnect, Body: broken{errors.New("it was read")}, ContentLength: -1}
	if err := s.Sign(tunnel); !errors.Is(err, signer.ErrRequest) || strings.Contains(err.Error(), "it was read") {
		t.Errorf("a tunnel: %v", err)
	}
	body := &noted{Reader: strings.NewReader("{}")}
	r := &http.Request{Method: http.MethodPost, Body: body, ContentLength: 2}
	if sign(t, s, r); !body.closed || r.Header.Get("X-Hub-Signature-256") == "" {
		t.Errorf("closed %t, headers %v", body.closed, r.Header)
	}
}

// TestLargestMaxSize guards that a body which may be as large as a number can say
// is read, and not taken for an empty one.
func TestLargestMaxSize(t *testing.T) {
	s := newSigner(t, signer.Config{Provider: "github", Secrets: []string{"secret"}, MaxSize: math.MaxInt64})
	r := httptest.NewRequest(http.MethodPost, testURL, strings.NewReader("{}"))
	if err := s.Sign(r); err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r.Body); string(body) != "{}" || err != nil {
		t.Errorf("the body that is sent on is %q, %v", body, err)
	}
}

// TestRequestsThatCannotBeSigned guards that what a receiver would refuse, or
// read otherwise, is an error here, with a sentence that says why.
func TestRequestsThatCannotBeSigned(t *testing.T) {
	elsewhere := func(place receiver.Place) *receiver.Template {
		return &receiver.Template{
			Content: "{id}.{timestamp}.{body}", Signature: []receiver.Place{{Header: "X-Sign"}},
			Timestamp: []receiver.Place{place, {Header: "X-Time"}}, ID: []receiver.Place{{Header: "X-Id", List: ","}},
		}
	}
	tests := []struct {
		name   string
		cfg    signer.Config
		target string
		header http.Header
		body   string
		want   string
	}{
		{"an ID with a dot", signer.Config{Provider: "standard", Secrets: []string{vectorSecret}, ID: "a.b"}, "", nil, "", "the ID holds what separates the parts of the signed content"},
		{"an ID of its own with a dot", signer.Config{Provider: "standard", Secrets: []string{vectorSecret}}, "", http.Header{"Webhook-Id": {"a.b"}}, "", "the ID holds what separates the parts of the signed content"},
		{"two IDs", signer.Config{Provider: "github", Secrets: []string{"x"}}, "", http.Header{"X-Github-Delivery": {"a", "b"}}, "", "its ID: the header X-Github-Delivery: it is there more than once"},
		{"an ID that is no text", signer.Config{Provider: "github", Secrets: []string{"x"}, ID: "a\r\nX: y"}, "", nil, "", "its ID is longer than 256 bytes, or holds a character that a header cannot"},
		{"a long ID", signer.Config{Provider: "github", Secrets: []string{"x"}, ID: strings.Repeat("x", 257)}, "", nil, "", "its ID is longer than 256 bytes"},
		{"an ID with a separator", signer.Config{Provider: "custom", Template: elsewhere(receiver.Place{Header: "X-Time-2"}), Secrets: []string{"x"}, ID: "a,b"}, "", nil, "", `its ID holds one of the characters ","`},
		{"a signed header that is not there", signer.Config{Provider: "sinch", Secrets: []string{"x"}}, "", nil, "", "X-Sinch-Webhook-Signature-Nonce, which is signed, is not there"},
		{"a time in the URL", signer.Config{Provider: "custom", Template: elsewhere(receiver.Place{Query: "time"}), Secrets: []string{"x"}}, "/?time=1709634000", nil, "", "it holds another time of sending, in a place that counts before the header"},
		{"a time in the body that is not there", signer.Config{Provider: "linear", Secrets: []string{"x"}}, "", nil, "{}", "there is not exactly one in the JSON member webhookTimestamp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := testURL
			if tt.target != "" {
				target = tt.target
			}
			r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(tt.body))
			for name, values := range tt.header {
				r.Header[name] = values
			}
			err := newSigner(t, tt.cfg).Sign(r)
			if !errors.Is(err, signer.ErrRequest) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "signature missing") || strings.Contains(err.Error(), "signature mismatch")) {
				t.Errorf("the error speaks as a receiver does: %v", err)
			}
		})
	}
}

// TestIDsFromElsewhere guards that an ID in the body stays where it is.
func TestIDsFromElsewhere(t *testing.T) {
	template := &receiver.Template{
		Content: "{id}.{body}", Signature: []receiver.Place{{Header: "X-Sign"}},
		ID: []receiver.Place{{Header: "X-Id"}, {JSON: "id"}},
	}
	s := newSigner(t, signer.Config{Provider: "custom", Template: template, Secrets: []string{"x"}})
	r := httptest.NewRequest(http.MethodPost, testURL, strings.NewReader(`{"id":"in the body"}`))
	sign(t, s, r)
	if got, there := r.Header["X-Id"]; there {
		t.Errorf("the ID was written as %q", got)
	}
	v := receive(t, receiver.Config{Provider: "custom", Template: template, Secrets: []string{"x"}}, testTime, r)
	if !v.called || v.ID != "in the body" {
		t.Errorf("accepted %t, because %s, with the ID %q", v.called, v.Reason, v.ID)
	}
}

// TestSetSecrets guards that other secrets sign from then on, that wrong ones
// change nothing, and that neither disturbs requests which are being signed.
func TestSetSecrets(t *testing.T) {
	s := newSigner(t, signer.Config{Provider: "standard", Secrets: []string{vectorSecret}, ID: vectorID})
	signature := func() string {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, testURL, strings.NewReader(vectorBody))
		if err != nil {
			t.Error(err)
			return ""
		}
		if err := s.Sign(r); err != nil {
			t.Error(err)
		}
		return r.Header.Get("Webhook-Signature")
	}
	var signing sync.WaitGroup
	for range 4 {
		signing.Go(func() {
			for range 100 {
				if signature() == "" {
					t.Error("it is not signed")
				}
			}
		})
	}
	first := signature()
	if err := s.SetSecrets([]string{otherSecret}); err != nil {
		t.Fatal(err)
	}
	second := signature()
	if err := s.SetSecrets([]string{"not-a-secret"}); !errors.Is(err, webhook.ErrKey) || strings.Contains(err.Error(), "not-a-secret") {
		t.Errorf("a wrong secret: %v", err)
	}
	if third := signature(); second == first || third != second {
		t.Errorf("signatures %s, then %s, then %s", first, second, third)
	}
	signing.Wait()
}
