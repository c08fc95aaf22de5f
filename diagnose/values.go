package diagnose

import (
	"bytes"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"hash"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// otherValues signs other IDs, times and URLs.
func (s *search) otherValues() *finding {
	for _, o := range slices.Concat(s.rule.otherTimes(), s.rule.otherIDs(), s.rule.otherURLs()) {
		content := s.make(o.values)
		if content == nil || bytes.Equal(content, s.content) {
			continue
		}
		if s.match(s.readable(), s.newHash, content) != nil {
			return &o.finding
		}
	}
	return nil
}

// otherValue is a guess of what was signed.
type otherValue struct {
	values  Values
	finding finding
}

// idHeaders are where IDs are found.
var idHeaders = []string{"Webhook-Id", "Svix-Id", "X-Webhook-Id", "X-Request-Id", "X-Event-Id", "Idempotency-Key", "X-Github-Delivery", "X-Shopify-Webhook-Id"}

// otherIDs are IDs that may have been signed in place of the one that counts.
func (r *Rule) otherIDs() []otherValue {
	var all []otherValue
	add := func(id, where string) {
		if id == r.Values.ID || len(id) > maxText {
			return
		}
		v := r.Values
		v.ID = id
		cause := "The event ID that was signed is not the one in " + r.IDPlace + ", but " + where + "."
		mistake := MistakeIDDifferent
		if r.Values.ID == "" {
			cause = "The event ID is missing in " + r.IDPlace + "; the one that was signed is " + where + "."
			mistake = MistakeIDMissing
		}
		all = append(all, otherValue{v, finding{mistake: mistake, cause: cause,
			remedy: "Sign and send the same ID, and let nothing on the way change the header."}})
	}
	if r.IDPlace == "" {
		return nil
	}
	for _, name := range idHeaders {
		for _, value := range r.Header[name] {
			add(value, "that in the header "+name)
			add(strings.TrimSpace(value), "that in the header "+name+" without the spaces around it")
		}
	}
	var members struct {
		ID      any `json:"id"`
		EventID any `json:"event_id"`
	}
	if json.Unmarshal(r.Values.Body, &members) == nil {
		if text, ok := members.ID.(string); ok && text != "" {
			add(text, "the member id of the body")
		}
		if text, ok := members.EventID.(string); ok && text != "" {
			add(text, "the member event_id of the body")
		}
	}
	add(strings.ToLower(r.Values.ID), "the same in small letters")
	add("", "empty")
	add("undefined", "the word undefined")
	add("null", "the word null")
	return all
}

// otherURLs are addresses that may have been signed.
func (r *Rule) otherURLs() []otherValue {
	u, err := url.Parse(r.Values.URL)
	if err != nil || u.Host == "" {
		return nil
	}
	var all []otherValue
	add := func(changed url.URL) {
		v := r.Values
		v.URL = changed.String()
		all = append(all, otherValue{v, finding{
			mistake: MistakeURL,
			cause:   "The URL that was signed is " + shown(v.URL) + ", and it is taken for " + shown(r.Values.URL) + ".",
			remedy:  "Set url in the configuration to the address that the sender was told, to the letter.",
		}})
	}
	for _, scheme := range []string{u.Scheme, "https", "http"} {
		for _, host := range append([]string{u.Host, u.Hostname()}, r.Header["X-Forwarded-Host"]...) {
			for _, query := range []string{u.RawQuery, ""} {
				for _, path := range []string{u.Path, strings.TrimSuffix(u.Path, "/"), u.Path + "/"} {
					changed := *u
					changed.Scheme, changed.Host, changed.RawQuery, changed.Path, changed.RawPath = scheme, host, query, path, ""
					add(changed)
				}
			}
		}
	}
	return all
}

// otherContents puts other parts together than the rule has it.
func (s *search) otherContents() *finding {
	v := s.rule.Values
	for _, c := range []struct{ content, what string }{
		{string(v.Body), "the body alone"},
		{v.Timestamp + "." + string(v.Body), "the timestamp, a dot and the body"},
		{v.ID + "." + string(v.Body), "the ID, a dot and the body"},
		{v.ID + "." + v.Timestamp + "." + string(v.Body), "the ID, the timestamp and the body with dots between them"},
		{v.Timestamp + "." + v.ID + "." + string(v.Body), "the timestamp, the ID and the body with dots between them"},
		{v.ID + v.Timestamp + string(v.Body), "the ID, the timestamp and the body with nothing between them"},
		{v.Timestamp + string(v.Body), "the timestamp and the body with nothing between them"},
		{string(v.Body) + v.Timestamp, "the body and the timestamp with nothing between them"},
		{string(v.Body) + "." + v.Timestamp, "the body, a dot and the timestamp"},
		{"v0:" + v.Timestamp + ":" + string(v.Body), "v0, the timestamp and the body with colons between them, as Slack has it"},
		{v.Timestamp + ":" + string(v.Body), "the timestamp, a colon and the body"},
		{v.Timestamp + "\n" + string(v.Body), "the timestamp, a line break and the body"},
		{v.URL + string(v.Body), "the URL and the body"},
		{"", "nothing at all: the body had been read before"},
		{v.ID + "." + v.Timestamp + ".", "the ID and the timestamp without a body: it had been read before, or is not passed on"},
		{v.Timestamp + ".", "the timestamp without a body: it had been read before, or is not passed on"},
		{v.ID + "." + v.Timestamp + ".[object Object]", "the ID, the timestamp and [object Object] in place of the body"},
		{v.ID + "." + v.Timestamp + ".undefined", "the ID, the timestamp and undefined in place of the body"},
	} {
		if s.content != nil && c.content == string(s.content) {
			continue
		}
		if s.match(s.readable(), s.newHash, []byte(c.content)) != nil {
			return &finding{
				mistake: MistakeContent,
				cause:   "The key is right, but what was signed is " + c.what + ".",
				remedy:  "Have the sender put together exactly what the scheme signs, or check the request by the rules of the scheme that it follows.",
			}
		}
	}
	return nil
}

// maxCuts is how many places a body is cut off at, counted from its end.
const maxCuts = 4096

// cutBody looks for a beginning of the body that was signed. It costs one pass
// over the body for each key, because the state of a hash can be copied.
func (s *search) cutBody() *finding {
	body := s.rule.Values.Body
	before, after, ok := s.around()
	if !ok || s.newHash == nil || len(body) < 2 {
		return nil
	}
	start := max(1, len(body)-maxCuts)
	for _, k := range s.configured() {
		if !s.spend(len(before) + len(body)) {
			return nil
		}
		mac := hmac.New(s.newHash, k.bytes)
		mac.Write(before)
		mac.Write(body[:start])
		for n := start; n < len(body); n++ {
			cloner, ok := mac.(hash.Cloner)
			if !ok {
				return nil
			}
			clone, err := cloner.Clone()
			if err != nil {
				return nil
			}
			clone.Write(after)
			if s.find(clone.Sum(nil)) != nil {
				return &finding{
					mistake: MistakeBodyExtended,
					cause:   fmt.Sprintf("Only the first %s of the body were signed: what begins at byte %d was added (%s).", bytesOf(n), n+1, bytesOf(len(body)-n)),
					remedy:  "Look for what adds to the body on the way, or in how the request was captured.",
					body:    body[:n],
				}
			}
			mac.Write(body[n : n+1])
		}
	}
	return nil
}

// around is what is signed before and after the body, if the body is in the
// content once and as it is.
func (s *search) around() (before, after []byte, ok bool) {
	const mark = "\x00body\x00"
	v := s.rule.Values
	v.Body = []byte(mark)
	content := s.make(v)
	if content == nil || bytes.Count(content, v.Body) != 1 {
		return nil, nil, false
	}
	before, after, _ = bytes.Cut(content, v.Body)
	v.Body = nil
	if other := s.make(v); !bytes.Equal(other, slices.Concat(before, after)) {
		return nil, nil, false // something else depends on the body as well
	}
	return before, after, true
}

// nearSeconds is how far around the timestamp others are tried, and nearBody how
// large the content may be for that.
const (
	nearSeconds = 150
	nearBody    = 64 << 10
)

// nearTimes looks for a signed time that is a little before or after the one
// that was sent.
func (s *search) nearTimes() *finding {
	at, unit := readTime(s.rule.Values.Timestamp)
	if s.content == nil || unit != "unix" || len(s.content) > nearBody {
		return nil
	}
	keys := s.configured()
	if len(keys) == 0 && len(s.rule.Public) == 0 {
		return nil
	}
	for off := 1; off <= nearSeconds; off++ {
		for _, seconds := range []int{off, -off} {
			v := s.rule.Values
			v.Timestamp = strconv.FormatInt(at.Unix()+int64(seconds), 10)
			content := s.make(v)
			if content == nil || bytes.Equal(content, s.content) {
				return nil
			}
			if s.match(keys[:min(len(keys), 2)], s.newHash, content) != nil {
				return differentTime(s.rule, time.Duration(seconds)*time.Second)
			}
		}
	}
	return nil
}
