package sender

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAttemptHeaders: both sides' headers are kept, without what may be a
// credential.
func TestAttemptHeaders(t *testing.T) {
	clock := newStepClock()
	server := unstarted(clock)
	server.TLS = nil
	server.Start()
	t.Cleanup(server.Close)
	s := bareSender(t, clock, Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true})
	t.Cleanup(s.current.Load().transport.CloseIdleConnections)
	target := s.compileTarget(t, Endpoint{
		ID: "a", URL: "http://user:hunter2@" + server.Listener.Addr().String(), Secrets: []string{testSecret},
		Headers: map[string]string{"x-api-key": "hunter2", "user-agent": "hunter2"},
	})
	d := sampleDelivery()
	d.Event.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	a := s.attempt(target, d).attempt
	signature := a.RequestHeaders.Get("Webhook-Signature")
	if !strings.HasPrefix(signature, "v1,") {
		t.Errorf("the signature is %q", signature)
	}
	want := http.Header{
		"User-Agent": {"[hidden]"}, "X-Api-Key": {"[hidden]"}, "Authorization": {"[hidden]"},
		"Content-Type": {"application/json"}, "Traceparent": {d.Event.TraceParent},
		"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {"1709634600"}, "Webhook-Signature": {signature},
	}
	if diff := cmp.Diff(want, a.RequestHeaders); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	want = http.Header{"Date": {"Tue, 05 Mar 2024 10:30:00 GMT"}, "Set-Cookie": {"[hidden]", "[hidden]"}, "X-Peer": {"one"}}
	if diff := cmp.Diff(want, a.ResponseHeaders); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
}

func TestKeptHeaders(t *testing.T) {
	long := strings.Repeat("x", 4000)
	tests := []struct {
		name       string
		have, want http.Header
	}{
		{"few", http.Header{"A": {"1", "2"}}, http.Header{"A": {"1", "2"}}},
		{"none", http.Header{}, http.Header{}},
		{"exactly as many as are kept", http.Header{"A": {strings.Repeat("x", 8191)}}, http.Header{"A": {strings.Repeat("x", 8191)}}},
		{"one byte more", http.Header{"A": {strings.Repeat("x", 8192)}}, http.Header{}},
		{"what is over is dropped, by name", http.Header{"C": {long}, "B": {long}, "A": {long}, "D": {"1"}}, http.Header{"A": {long}, "B": {long}, "D": {"1"}}},
		{"many values of one name", http.Header{"A": {long, long, long}, "B": {"1"}}, http.Header{"B": {"1"}}},
		{"long cookies", http.Header{"Set-Cookie": {long, long, long}, "A": {"1"}}, http.Header{"A": {"1"}, "Set-Cookie": {"[hidden]", "[hidden]", "[hidden]"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, keptHeaders(test.have)); diff != "" {
				t.Errorf("(-want +got):\n%.1000s", diff)
			}
		})
	}
}
