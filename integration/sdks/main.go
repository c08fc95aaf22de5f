// Command sdks signs webhook requests with the providers' own Go libraries,
// for a receiver that shares no code with them. It is a module of its own, so
// that nobody who uses the receiver gets these libraries into their build.
//
// It writes one JSON object per request; integration/sdk_request_test.go says
// what its members mean. A library that can only verify is used the other way
// round: the request is signed here in plain code, the library has to accept
// exactly this request, and to refuse it with one byte changed.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	now := time.Now().Truncate(time.Second)
	out := json.NewEncoder(os.Stdout)
	for _, s := range slices.Concat(standard, timestamp, body, address, fields, message) {
		line, err := s.prove(now)
		if err == nil {
			err = out.Encode(line)
		}
		if err != nil {
			return fmt.Errorf("%s with %s: %w", s.provider, s.sdk, err)
		}
	}
	return nil
}

// signer makes the request of one provider with the help of one library.
type signer struct {
	provider string

	// sdk is the path of the library's module.
	sdk string

	// signs tells that the signature is the library's work, and retries that
	// the provider sends the same event again with another signature.
	signs, retries bool

	sign func(now time.Time) request

	// accepts asks the library about a request; nil where it can only sign.
	accepts func(r request) bool
}

// request is a signed request, in the form that is written.
type request struct {
	Secrets          []string          `json:"secrets"`
	OtherSecret      string            `json:"other_secret,omitempty"`
	Key              string            `json:"key,omitempty"`
	URL              string            `json:"url,omitempty"`
	Target           string            `json:"target,omitempty"`
	Parameters       map[string]string `json:"parameters,omitempty"`
	Headers          map[string]string `json:"headers"`
	Body             []byte            `json:"body_base64"`
	ID               string            `json:"id,omitempty"`
	Type             string            `json:"type,omitempty"`
	SignatureHeaders []string          `json:"signature_headers,omitempty"`
	SignatureText    string            `json:"signature_text,omitempty"`
	SignedHeaders    []string          `json:"signed_headers,omitempty"`
	UnsignedHeaders  []string          `json:"unsigned_headers,omitempty"`
	SignsURL         []string          `json:"signs_url,omitempty"`
	Covers           []string          `json:"covers,omitempty"`
	Uncovered        string            `json:"uncovered,omitempty"`
	Timestamp        *moment           `json:"timestamp,omitempty"`
	Untimed          string            `json:"untimed,omitempty"`
}

// moment is where the signed time is.
type moment struct {
	Header string `json:"header,omitempty"`
	Body   bool   `json:"body,omitempty"`
	Text   string `json:"text"`
}

// attempt is the same event, sent once more.
type attempt struct {
	Now     int64             `json:"now"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body_base64"`
}

// line is what is written for a request.
type line struct {
	Provider      string `json:"provider"`
	SDK           string `json:"sdk"`
	Version       string `json:"sdk_version"`
	SignedBySDK   bool   `json:"signed_by_sdk"`
	AcceptedBySDK bool   `json:"accepted_by_sdk"`
	Method        string `json:"method"`
	request
	Now   int64    `json:"now"`
	Retry *attempt `json:"retry,omitempty"`
}

// prove makes a request, and has the library confirm it.
func (s signer) prove(now time.Time) (line, error) {
	r := s.sign(now)
	if s.accepts != nil {
		if !s.accepts(r) {
			return line{}, errors.New("the library does not accept the request")
		}
		if s.accepts(r.altered()) {
			return line{}, errors.New("the library accepts an altered request")
		}
	}
	if !s.signs && s.accepts == nil {
		return line{}, errors.New("the library neither signed nor verified")
	}
	version, err := versionOf(s.sdk)
	if err != nil {
		return line{}, err
	}
	l := line{
		Provider: s.provider, SDK: s.sdk, Version: version,
		SignedBySDK: s.signs, AcceptedBySDK: s.accepts != nil,
		Method: "POST", request: r, Now: now.Unix(),
	}
	if s.retries {
		later := now.Add(time.Minute)
		again := s.sign(later)
		l.Retry = &attempt{Now: later.Unix(), Headers: again.Headers, Body: again.Body}
	}
	return l, nil
}

// altered changes one character of the body that the signature covers, or of
// the signature where it covers none.
func (r request) altered() request {
	if r.Uncovered != "" && len(r.Covers) == 0 {
		r.Headers = maps.Clone(r.Headers)
		r.Headers[r.SignatureHeaders[0]] += "0"
		return r
	}
	covered := string(r.Body)
	if len(r.Covers) > 0 {
		covered = r.Covers[0]
	}
	at := strings.LastIndex(string(r.Body), covered) + len(covered)/2
	r.Body = bytes.Clone(r.Body)
	if r.Body[at] == '0' {
		r.Body[at] = '1'
	} else {
		r.Body[at] = '0'
	}
	return r
}

// versionOf is the version of a module that this program is built with.
func versionOf(module string) (string, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", errors.New("the program was built without module support: run it with go run")
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version, nil
		}
	}
	return "", fmt.Errorf("no module %s is built in", module)
}
