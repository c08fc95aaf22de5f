package receiver

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzTemplateSignature reads foreign headers. The values are bounded, are in
// the text in their order, and are what a plain reading of the documentation
// finds.
func FuzzTemplateSignature(f *testing.F) {
	f.Add("t=1700000000,v1=abc, v1=def,v0=x", ",", "v1=")
	f.Add("v1,AAAA v1,BBBB v1a,CC", " ", "v1,")
	f.Add("sha256=abc", "", "sha256=")
	f.Add("t=1,v1=a t=1,v1=b", ", ", "v1=")
	f.Add(strings.Repeat(",", 40), ",", "")
	f.Fuzz(func(t *testing.T, text, list, prefix string) {
		p, problem := newPlace(Place{Header: "X-Sig", List: list, Prefix: prefix}, true)
		if problem != "" {
			return
		}
		got := slices.Collect(p.items(text))
		items := []string{text}
		if list != "" {
			items = nil
			start := 0
			for i := range len(text) {
				if strings.IndexByte(list, text[i]) >= 0 {
					items = append(items, strings.Trim(text[start:i], " \t"))
					start = i + 1
				}
			}
			items = append(items, strings.Trim(text[start:], " \t"))
		}
		var want []string
		for _, item := range items[:min(len(items), maxPlaceItems)] {
			if rest, ok := strings.CutPrefix(item, prefix); ok && rest != "" {
				want = append(want, rest)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q by %q after %q: %q, want %q", text, list, prefix, got, want)
		}
	})
}

// FuzzTemplate compiles foreign templates and lets them check foreign requests.
// Nothing may panic, and a request that was not signed must not get through.
func FuzzTemplate(f *testing.F) {
	f.Add("", "", "{id}.{timestamp}.{body}", "hex", "unix", "X-Sig", ",", "v1=", "event.id", "v1=abc", "1700000000", []byte(`{"event":{"id":"1"}}`))
	f.Add("token", "", "", "", "", "X-Sig", "", "", "", "secret", "", []byte(nil))
	f.Add("ed25519", "hex", "{url}{json.a.0.b}{body_sha256}", "base64url", "auto", "X-Sig-{n}", " ", "", "a.0.b", "AA", "2023-11-14T22:13:20Z", []byte(`{"a":[{"b":1}]}`))
	f.Add("hmac-sha512", "whsec", "{{{header.X-Time}}}{body}", "base64", "rfc3339", "X", ";", "", "a", "==", "", []byte(`{"a":`))
	now := time.Unix(1700000000, 0)
	f.Fuzz(func(t *testing.T, algorithm, key, content, encoding, format, header, list, prefix, path, signature, at string, body []byte) {
		template := &Template{
			Algorithm: algorithm, Key: key, Content: content, Encoding: encoding, TimestampFormat: format,
			Signature: []Place{{Header: header, List: list, Prefix: prefix}},
			Timestamp: []Place{{Header: "X-Time"}, {JSON: path}},
			ID:        []Place{{Header: "X-Id"}, {JSON: path}, {Query: "id"}},
			Type:      []Place{{JSON: path}},
		}
		if format == "" {
			template.Timestamp = nil
		}
		const secret = "a8f5f167f44f4964e6c998dee827110c"
		cfg := Config{Provider: customName, Template: template, Secrets: []string{secret}}
		invalid := cfg.Validate()
		s, err := newTemplateScheme(schemeOptions{secrets: cfg.Secrets, template: template})
		if (err == nil) != (invalid == nil) {
			t.Fatalf("validation says %v, the scheme %v", invalid, err)
		}
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "/in?id=1&sig=2", bytes.NewReader(body))
		for _, name := range []string{header, "X-Sig-1", "X-Sig"} {
			r.Header[http.CanonicalHeaderKey(name)] = []string{signature}
		}
		r.Header["X-Time"], r.Header["X-Id"] = []string{at}, []string{"an ID"}
		before := bytes.Clone(body)
		proven, err := s.verify(t.Context(), &inbound{request: r, body: body, now: now, tolerance: DefaultTolerance})
		if err == nil && !strings.Contains(signature+prefix, secret) {
			t.Errorf("a foreign signature was accepted: %+v", proven)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the secret: %v", err)
		}
		if !bytes.Equal(before, body) {
			t.Error("the body was changed")
		}
	})
}

// FuzzJSONPath compares what is found in a body with what encoding/json finds.
func FuzzJSONPath(f *testing.F) {
	f.Add([]byte(`{"a":{"b":["x",{"c":1.5}]},"id":"e\u0031","t":true,"n":null}`), "a.b.1.c", "id")
	f.Add([]byte(`{"id":1,"id":2}`), "id", "id.x")
	f.Add([]byte(`[{"0":"y"}]`), "0.0", "0")
	f.Add([]byte(`"text"`), "a", "b")
	f.Add([]byte("{\"a\":\"\xff\"}"), "a", "b")
	f.Fuzz(func(t *testing.T, body []byte, first, second string) {
		if !isJSONPath(first) || !isJSONPath(second) {
			return
		}
		var paths jsonPaths
		indexes := []int{paths.add(first), paths.add(second)}
		if paths.count > maxJSONPaths {
			return
		}
		var doc document
		doc.open(&paths, body)
		defer doc.close()
		for i, path := range []string{first, second} {
			value := doc.value(indexes[i])
			if value.ambiguous {
				continue
			}
			if value.text == "" {
				continue // nothing is there, or it is no text
			}
			if !json.Valid(body) {
				t.Fatalf("%q was found at %s of what is not JSON: %q", value.text, path, body)
			}
			if diff := cmp.Diff(lookUp(t, body, path), value.text); diff != "" {
				t.Errorf("at %s of %q (-want +got):\n%s", path, body, diff)
			}
			var raw any
			if err := json.Unmarshal(body[value.start:value.end], &raw); err != nil {
				t.Errorf("at %s of %q: bytes %d to %d are no value: %v", path, body, value.start, value.end, err)
			}
		}
	})
}

// lookUp is the text at a path as encoding/json reads it.
func lookUp(t *testing.T, body []byte, path string) string {
	t.Helper()
	raw := json.RawMessage(body)
	for name := range strings.SplitSeq(path, ".") {
		switch bytes.TrimLeft(raw, " \t\r\n")[0] {
		case '{':
			var object map[string]json.RawMessage
			if err := json.Unmarshal(raw, &object); err != nil {
				t.Fatal(err)
			}
			raw = object[name]
		case '[':
			var array []json.RawMessage
			if err := json.Unmarshal(raw, &array); err != nil {
				t.Fatal(err)
			}
			var i int
			if err := json.Unmarshal([]byte(name), &i); err != nil {
				t.Fatal(err)
			}
			raw = array[i]
		default:
			t.Fatalf("%s leads through %s", path, raw)
		}
	}
	raw = bytes.Trim(raw, " \t\r\n")
	if raw[0] != '"' {
		return string(raw)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		t.Fatal(err)
	}
	return text
}
