package sender

import (
	"net/http"
	"time"
)

// TestReport is what a test of an endpoint has shown.
type TestReport struct {
	// OK tells that the endpoint would have taken an event.
	OK bool `json:"ok"`

	// Summary says in one sentence what the outcome is.
	Summary string `json:"summary"`

	// Checks are what was looked at, in the order of a delivery: url, dns,
	// egress, connect, tls, answer, time, signature. What comes after a check
	// that failed was not looked at, and is missing.
	Checks []TestCheck `json:"checks"`

	// EventID and Type are those of the sample that was sent.
	EventID string `json:"event_id"`
	Type    string `json:"type"`

	// Request is the request as it was sent, or would have been if there had
	// been a connection.
	Request TestRequest `json:"request"`

	// Attempt is the exchange.
	Attempt Attempt `json:"attempt"`

	// TLS says how the connection was secured; nil without TLS. Where the
	// certificate was not accepted it tells of the certificate alone.
	TLS *TestTLS `json:"tls,omitempty"`
}

// TestCheck is one thing that a test looks at.
type TestCheck struct {
	// Name is what was looked at: url, dns, egress, connect, tls, answer, time
	// or signature.
	Name string `json:"name"`

	// OK tells that all is well with it.
	OK bool `json:"ok"`

	// Detail says in one sentence what was found.
	Detail string `json:"detail"`

	// Remedy says in one sentence what to do; empty when all is well. Where OK
	// is set as well, it is advice: the delivery works without.
	Remedy string `json:"remedy,omitempty"`
}

// TestRequest is a request that a test has made.
type TestRequest struct {
	// Method is POST.
	Method string `json:"method"`

	// URL is the endpoint's, without user name and password.
	URL string `json:"url"`

	// Headers are those that were sent, beside Host and Content-Length. The
	// values that the endpoint's owner has set are hidden.
	Headers http.Header `json:"headers"`

	// Body is the body, byte for byte: the signatures are over it.
	Body string `json:"body"`
}

// TestTLS is how a connection was secured.
type TestTLS struct {
	// Version is that of TLS, such as "TLS 1.3".
	Version string `json:"version,omitempty"`

	// Cipher is the cipher suite, by its name in the standard.
	Cipher string `json:"cipher,omitempty"`

	// Subject is whom the server's certificate is for, and Issuer who issued it.
	Subject string `json:"subject"`
	Issuer  string `json:"issuer"`

	// ExpiresAt is until when the certificate is valid.
	ExpiresAt time.Time `json:"expires_at"`
}
