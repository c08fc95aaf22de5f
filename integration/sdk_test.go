package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// provenProviders is how many providers' rules must at least be proven.
const provenProviders = 25

// TestProvidersAgreeWithTheirLibraries guards the table of providers: what a
// provider's own library signs, or accepts, is accepted once, with the event's
// ID and type, and refused after any change of what the signature covers.
func TestProvidersAgreeWithTheirLibraries(t *testing.T) {
	requests := sdkRequests(t)
	var table strings.Builder
	columns := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	proven := make(map[string]bool)
	for _, s := range requests {
		ok := t.Run(s.String(), func(t *testing.T) {
			if !s.SignedBySDK && !s.AcceptedBySDK {
				t.Fatal("the library neither signed the request nor accepted it")
			}
			t.Run("accepted once", s.acceptedOnce)
			t.Run("secrets", s.secretsCount)
			t.Run("signature", s.signatureCounts)
			t.Run("headers", s.headersCount)
			t.Run("body", s.bodyCounts)
			t.Run("time", s.timeCounts)
			t.Run("address", s.addressCounts)
		})
		if !ok {
			continue
		}
		proven[s.Provider] = true
		var how []string
		if s.SignedBySDK {
			how = append(how, "signed")
		}
		if s.AcceptedBySDK {
			how = append(how, "accepted")
		}
		fmt.Fprintf(columns, "%s\t%s\t%s\t%s\n", s.Provider, s.SDK, s.Version, strings.Join(how, ", "))
	}
	_ = columns.Flush()
	t.Logf("%d providers are proven by %d requests of their libraries:\n%s", len(proven), len(requests), table.String())
	if len(proven) < provenProviders {
		t.Errorf("%d providers are proven by a library: there must be at least %d", len(proven), provenProviders)
	}
}

// acceptedOnce checks that the request gets through once, that it is read as
// the library's user would, and that neither the same request, nor a retry, nor
// a copy under a fresh ID gets through again.
func (s *sdkRequest) acceptedOnce(t *testing.T) {
	rc := s.receive(t, s.Secrets...)
	if status, called := rc.sent(s.parsed()); !called {
		t.Fatalf("refused with %d: %s", status, rc.seen.Reason)
	}
	if s.ID != "" && rc.seen.ID != s.ID {
		t.Errorf("the ID is read as %q, not as %q", rc.seen.ID, s.ID)
	}
	if s.Type != "" && rc.seen.Type != s.Type {
		t.Errorf("the type is read as %q, not as %q", rc.seen.Type, s.Type)
	}
	if s.Timestamp != nil && !rc.seen.Timestamp.Equal(rc.now) {
		t.Errorf("the time is read as %s, not as %s", rc.seen.Timestamp, rc.now)
	}

	again := func(what string, r *http.Request) {
		t.Helper()
		if status, called := rc.sent(r); called || status != http.StatusOK || !rc.seen.Duplicate {
			t.Errorf("%s is no duplicate: %d, called %t, %s", what, status, called, rc.seen.Reason)
		}
	}
	again("the same request", s.parsed())
	for _, name := range s.UnsignedHeaders {
		fresh := s.parsed()
		fresh.Header.Set(name, altered(s.Headers[name]))
		again("the request with another "+name, fresh)
		fresh = s.parsed()
		fresh.Header.Del(name)
		again("the request without "+name, fresh)
	}
	if s.Retry != nil {
		retry := *s
		retry.Headers, retry.Body = s.Retry.Headers, s.Retry.Body
		rc.now = time.Unix(s.Retry.Now, 0)
		again("a retry", retry.parsed())
	}
}

// secretsCount checks that only the right secret will do, wherever it is in the
// list.
func (s *sdkRequest) secretsCount(t *testing.T) {
	if len(s.Secrets) == 0 {
		return // the provider publishes its keys
	}
	s.refused(t, s.receive(t, s.OtherSecret), "with another secret", s.parsed())

	rc := s.receive(t, s.OtherSecret, s.Secrets[0])
	if status, called := rc.sent(s.parsed()); !called || rc.seen.SecretIndex != 1 {
		t.Errorf("with another secret first: %d, %s, the secret that matched is %d", status, rc.seen.Reason, rc.seen.SecretIndex)
	}
}

// signatureCounts checks that a request with another signature, or none, is
// refused.
func (s *sdkRequest) signatureCounts(t *testing.T) {
	rc := s.receive(t, s.Secrets...)
	for _, name := range s.SignatureHeaders {
		r := s.parsed()
		r.Header.Del(name)
		s.refused(t, rc, "without "+name, r)
		r = s.parsed()
		r.Header.Set(name, "")
		s.refused(t, rc, "with an empty "+name, r)
		if s.SignatureText == "" {
			r = s.parsed()
			r.Header.Set(name, altered(s.Headers[name]))
			s.refused(t, rc, "with another "+name, r)
		}
	}
	if s.SignatureText != "" {
		s.refused(t, rc, "with another signature", s.replaced(t, s.SignatureText, altered(s.SignatureText)))
		s.refused(t, rc, "with an empty signature", s.replaced(t, s.SignatureText, ""))
	}
}

// headersCount checks that the headers that the signature covers cannot be
// changed or left out.
func (s *sdkRequest) headersCount(t *testing.T) {
	rc := s.receive(t, s.Secrets...)
	for _, name := range s.SignedHeaders {
		r := s.parsed()
		r.Header.Set(name, altered(s.Headers[name]))
		s.refused(t, rc, "with another "+name, r)
		r = s.parsed()
		r.Header.Del(name)
		s.refused(t, rc, "without "+name, r)
	}
}

// bodyCounts changes each byte that the signature covers, one at a time.
func (s *sdkRequest) bodyCounts(t *testing.T) {
	rc := s.receive(t, s.Secrets...)
	covered := make([]bool, len(s.Body))
	for _, part := range s.Covers {
		at := strings.Index(string(s.Body), part)
		if at < 0 {
			t.Fatalf("%q is not in the body", part)
		}
		for i := range part {
			covered[at+i] = true
		}
	}
	through := 0
	for i := range s.Body {
		changed := *s
		changed.Body = []byte(string(s.Body))
		changed.Body[i] ^= 1
		if s.Uncovered == "" || covered[i] {
			s.refused(t, rc, fmt.Sprintf("with byte %d of the body changed", i), changed.parsed())
		} else if status, _ := rc.sent(changed.parsed()); status < http.StatusMultipleChoices {
			through++
		}
	}
	if s.Uncovered != "" {
		if through == 0 {
			t.Errorf("it is said that %s, but no changed byte gets through", s.Uncovered)
		}
		return
	}
	for what, body := range map[string]string{
		"with a byte more in the body": string(s.Body) + " ",
		"with a byte less in the body": string(s.Body[:len(s.Body)-1]),
		"with an empty body":           "",
	} {
		changed := *s
		changed.Body = []byte(body)
		s.refused(t, rc, what, changed.parsed())
	}
}

// timeCounts checks that the signed time cannot be changed, and that the
// request is refused when it is too far from now, on either side.
func (s *sdkRequest) timeCounts(t *testing.T) {
	if s.Timestamp == nil {
		if s.Untimed == "" {
			t.Fatal("the request has no time, and does not say why")
		}
		for _, age := range []time.Duration{-720 * time.Hour, 720 * time.Hour} {
			rc := s.receive(t, s.Secrets...)
			rc.now = rc.now.Add(age)
			if status, called := rc.sent(s.parsed()); !called {
				t.Errorf("it is said that %s, but after %s: %d, %s", s.Untimed, age, status, rc.seen.Reason)
			}
		}
		return
	}
	latest := tolerance + time.Duration(s.Timestamp.Late)*time.Second
	for _, age := range []time.Duration{latest - time.Second, time.Second - tolerance} {
		rc := s.receive(t, s.Secrets...)
		rc.now = rc.now.Add(age)
		if status, called := rc.sent(s.parsed()); !called {
			t.Errorf("after %s: %d, %s", age, status, rc.seen.Reason)
		}
	}
	rc := s.receive(t, s.Secrets...)
	for _, age := range []time.Duration{latest + time.Second, -tolerance - time.Second, 24 * time.Hour, -24 * time.Hour} {
		rc.now = time.Unix(s.Now, 0).Add(age)
		s.refused(t, rc, fmt.Sprintf("after %s", age), s.parsed())
	}
	// The last digit is a second, a millisecond, or a part of one.
	at := strings.LastIndexAny(s.Timestamp.Text, "0123456789")
	moved := s.Timestamp.Text[:at] + string('0'+(s.Timestamp.Text[at]-'0'+1)%10) + s.Timestamp.Text[at+1:]
	rc.now = time.Unix(s.Now, 0)
	s.refused(t, rc, "with another time", s.replaced(t, s.Timestamp.Text, moved))
}

// addressCounts checks that a request to another address is refused where the
// signature covers it.
func (s *sdkRequest) addressCounts(t *testing.T) {
	for _, part := range s.SignsURL {
		change, ok := changesOfURL[part]
		if !ok {
			t.Fatalf("signs_url holds %q", part)
		}
		moved := *s
		if s.URL != "" {
			moved.URL = change(s.URL)
		} else {
			moved.Target = change(s.Target)
		}
		moved.refused(t, moved.receive(t, moved.Secrets...), "at "+moved.URL+moved.Target, moved.parsed())
	}
}

var changesOfURL = map[string]func(string) string{
	"host":  func(u string) string { return strings.Replace(u, "hooks.", "other.", 1) },
	"path":  func(u string) string { return strings.Replace(u, ".com/", ".com/other/", 1) },
	"query": func(u string) string { return u + "?&more=1" },
}

// refused checks that a request is not taken for the provider's.
func (s *sdkRequest) refused(t *testing.T, rc *sdkReceiver, what string, r *http.Request) {
	t.Helper()
	if status, called := rc.sent(r); called || status != http.StatusUnauthorized {
		t.Errorf("%s: %d, called %t, instead of 401", what, status, called)
	}
}

// replaced is the request with a text replaced, in its headers and its body.
func (s *sdkRequest) replaced(t *testing.T, text, by string) *http.Request {
	t.Helper()
	changed := *s
	changed.Body = []byte(strings.Replace(string(s.Body), text, by, 1))
	changed.Headers = make(map[string]string)
	same := string(changed.Body) == string(s.Body)
	for name, value := range s.Headers {
		changed.Headers[name] = strings.Replace(value, text, by, 1)
		same = same && changed.Headers[name] == value
	}
	if same {
		t.Fatalf("%q is nowhere in the request", text)
	}
	return changed.parsed()
}

// altered changes one character in the middle of the longest run of those that
// signatures are made of.
func altered(value string) string {
	longest := 0
	at := 0
	for start := 0; start < len(value); {
		end := start
		for end < len(value) && isSignatureCharacter(value[end]) {
			end++
		}
		if end-start > longest {
			longest, at = end-start, start+(end-start)/2
		}
		start = end + 1
	}
	other := byte('0')
	if value[at] == other {
		other = '1'
	}
	return value[:at] + string(other) + value[at+1:]
}

func isSignatureCharacter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}
