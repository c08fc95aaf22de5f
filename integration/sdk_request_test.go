package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/webhook"
)

// sdkRequest is a request that a provider's own library has signed or
// accepted, and what is known of it. peers/sign.mjs and the module sdks write
// one on each line.
type sdkRequest struct {
	Provider string `json:"provider"`

	// SDK is the name of the library in its registry. SignedBySDK tells that
	// it made the signature, and AcceptedBySDK that it accepted this request
	// and refused it with one byte changed.
	SDK           string `json:"sdk"`
	Version       string `json:"sdk_version"`
	SignedBySDK   bool   `json:"signed_by_sdk"`
	AcceptedBySDK bool   `json:"accepted_by_sdk"`

	// How a receiver of this request is configured. OtherSecret is one of the
	// same form that it was not signed with.
	Secrets     []string          `json:"secrets"`
	OtherSecret string            `json:"other_secret"`
	Key         string            `json:"key"`
	URL         string            `json:"url"`
	Parameters  map[string]string `json:"parameters"`

	// Fetch is what a receiver may fetch: content by URL.
	Fetch map[string]string `json:"fetch"`

	// The request. Target is what it is sent to; empty: URL, or any address.
	Method  string            `json:"method"`
	Target  string            `json:"target"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body_base64"`

	// ID and Type are what the library's user would take for the event's;
	// empty where there is no such thing, or none that all users agree upon.
	ID   string `json:"id"`
	Type string `json:"type"`

	// Now is when it was signed, in Unix seconds.
	Now int64 `json:"now"`

	// SignatureHeaders hold the signature. SignatureText is the signature where
	// it is in the body, or beside others.
	SignatureHeaders []string `json:"signature_headers"`
	SignatureText    string   `json:"signature_text"`

	// SignedHeaders are covered by the signature. UnsignedHeaders are not, and
	// still hold an ID.
	SignedHeaders   []string `json:"signed_headers"`
	UnsignedHeaders []string `json:"unsigned_headers"`

	// SignsURL are the parts of the address that the signature covers: host,
	// path and query.
	SignsURL []string `json:"signs_url"`

	// Covers are the parts of the body that the signature covers; all of it
	// unless Uncovered says why it does not.
	Covers    []string `json:"covers"`
	Uncovered string   `json:"uncovered"`

	// Timestamp is the signed time, as it is written in a header or in the
	// body, unless Untimed says why there is none. Late is for how many more
	// seconds it is accepted, because the provider's retries carry the time of
	// the first attempt.
	Timestamp *struct {
		Header string `json:"header"`
		Body   bool   `json:"body"`
		Text   string `json:"text"`
		Late   int64  `json:"late"`
	} `json:"timestamp"`
	Untimed string `json:"untimed"`

	// Retry is the same event, signed once more a minute later.
	Retry *struct {
		Now     int64             `json:"now"`
		Headers map[string]string `json:"headers"`
		Body    []byte            `json:"body_base64"`
	} `json:"retry"`
}

// String names the request in the test's output.
func (s *sdkRequest) String() string { return s.Provider + " " + s.SDK }

// parsed makes the request as a server would read it.
func (s *sdkRequest) parsed() *http.Request {
	target := s.Target
	if target == "" {
		target = s.URL
	}
	if target == "" {
		target = "https://hooks.example.com/in"
	}
	r := httptest.NewRequest(s.Method, target, bytes.NewReader(s.Body))
	for name, value := range s.Headers {
		r.Header.Set(name, value)
	}
	return r
}

// tolerance is how far a signed time may be from now in these tests.
const tolerance = 5 * time.Minute

// sdkReceiver is a receiver of one provider's requests, and what it last saw.
type sdkReceiver struct {
	*receiver.Receiver
	now  time.Time
	seen receiver.Observation
}

// receive makes a receiver that is configured for a request.
func (s *sdkRequest) receive(t *testing.T, secrets ...string) *sdkReceiver {
	t.Helper()
	rc := &sdkReceiver{now: time.Unix(s.Now, 0)}
	config := receiver.Config{
		Provider:   s.Provider,
		Secrets:    secrets,
		Key:        s.Key,
		URL:        s.URL,
		Parameters: s.Parameters,
	}
	if s.Timestamp != nil {
		config.Tolerance = webhook.Duration(tolerance)
	}
	var err error
	rc.Receiver, err = receiver.New(config, receiver.Options{
		Now:     func() time.Time { return rc.now },
		Client:  &http.Client{Transport: fetched(s.Fetch)},
		Observe: func(_ *http.Request, o receiver.Observation) { rc.seen = o },
	})
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

// sent is the status of a request, and whether the application was called.
func (rc *sdkReceiver) sent(r *http.Request) (status int, called bool) {
	w := httptest.NewRecorder()
	rc.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		called = true
		w.WriteHeader(http.StatusNoContent)
	})).ServeHTTP(w, r)
	return w.Code, called
}

// fetched answers with content by URL.
type fetched map[string]string

func (f fetched) RoundTrip(r *http.Request) (*http.Response, error) {
	content, ok := f[r.URL.String()]
	if !ok {
		return nil, fmt.Errorf("nothing may be fetched from %s", r.URL)
	}
	w := httptest.NewRecorder()
	_, _ = w.WriteString(content)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// sdkRequests has all libraries make their requests.
func sdkRequests(t *testing.T) []*sdkRequest {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed: this test has requests signed by the providers' own libraries")
	}
	if _, err := os.Stat(filepath.Join("peers", "node_modules", "stripe")); err != nil {
		t.Skip("the providers' libraries are not installed: run `npm ci --ignore-scripts` in integration/peers")
	}
	var list []*sdkRequest
	for _, c := range []struct {
		folder  string
		command []string
	}{
		{"peers", []string{"node", "sign.mjs"}},
		{"sdks", []string{"go", "run", "."}},
	} {
		cmd := exec.CommandContext(t.Context(), c.command[0], c.command[1:]...)
		cmd.Dir = c.folder
		// This module's build flags, such as -mod, are not that module's.
		cmd.Env = append(cmd.Environ(), "GOFLAGS=")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s in %s: %v\n%s", c.command[0], c.folder, err, stderr.String())
		}
		scanner := bufio.NewScanner(bytes.NewReader(out))
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			s := new(sdkRequest)
			decoder := json.NewDecoder(bytes.NewReader(scanner.Bytes()))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(s); err != nil {
				t.Fatalf("%s printed %q: %v", c.command[0], scanner.Text(), err)
			}
			list = append(list, s)
		}
	}
	return list
}
