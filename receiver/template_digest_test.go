package receiver

import (
	"strings"
	"testing"
	"time"
)

// TestMovedBytes guards what is signed against being cut in another place, by
// which a captured request could come again with a fresh ID or time.
func TestMovedBytes(t *testing.T) {
	tick := newClock()
	at := attempt{at: tick.Now()}.unix()
	for _, c := range []struct {
		name, content string
		good, moved   [3]string // ID, time and body
		want          verdict
	}{
		{"ID and time", "{id}.{timestamp}.{body}", [3]string{"a", at, "b"}, [3]string{"a." + at, at, "b"}, verdict(ReasonSignatureMismatch)},
		{"dot in the ID", "{id}.{timestamp}.{body}", [3]string{"a", at, at + ".b"}, [3]string{"a." + at, at, "b"}, verdict(ReasonSignatureMismatch)},
		{"time and body", "{timestamp}{body}", [3]string{"a", at, "1b"}, [3]string{"a", at + "1", "b"}, verdict(ReasonTimestampMalformed)},
		{"body and time", "{body}{timestamp}", [3]string{"a", at, "b1"}, [3]string{"a", "1" + at, "b"}, verdict(ReasonTimestampMalformed)},
		{"time and ID", "{timestamp}{id}.{body}", [3]string{"1a", at, "b"}, [3]string{"a", at + "1", "b"}, verdict(ReasonTimestampMalformed)},
		{"ID and body", "{timestamp}.{id}{body}", [3]string{"a", at, "bc"}, [3]string{"ab", at, "c"}, again},
		{"body and ID", "{timestamp}.{body}{id}", [3]string{"bc", at, "a"}, [3]string{"c", at, "ab"}, again},
		{"dot behind the body", "{timestamp}.{body}.{id}", [3]string{"c", at, "a.b"}, [3]string{"b.c", at, "a"}, verdict(ReasonSignatureMismatch)},
	} {
		b := newBench(t, customConfig(func(t *Template) { t.Content = c.content }))
		signed := strings.NewReplacer("{id}", c.good[0], "{timestamp}", c.good[1], "{body}", c.good[2]).Replace(c.content)
		signature := hexSHA256(plainSecret, signed)
		if got := b.verdictOn(customRequest(c.good[2], "X-Id", c.good[0], "X-Time", c.good[1], "X-Sig", signature)); got != accepted {
			t.Errorf("%s: the good request: %s", c.name, got)
		}
		if got := b.verdictOn(customRequest(c.moved[2], "X-Id", c.moved[0], "X-Time", c.moved[1], "X-Sig", signature)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	// A time in seconds or in milliseconds has two lengths, so that three digits
	// can be moved and leave one.
	seconds, millis := attempt{at: tick.Now()}.unix(), attempt{at: tick.Now()}.millis()
	for _, c := range []struct {
		content     string
		good, moved [2]string // time and body
		want        Reason
	}{
		{"{timestamp}{body}", [2]string{millis, "b"}, [2]string{seconds, millis[len(seconds):] + "b"}, ReasonTimestampMalformed},
		{"{body}{timestamp}", [2]string{"180" + seconds, "b"}, [2]string{seconds, "b180"}, ReasonTimestampMalformed},
		// The digits of the template, and those of a digest, stay where they are.
		{"v1{timestamp}1{body}", [2]string{millis, "b"}, [2]string{"1" + millis, "b"}, ReasonSignatureMismatch},
	} {
		b := newBench(t, customConfig(func(t *Template) { t.Content, t.TimestampFormat = c.content, formatAuto }))
		b.tolerance = -1
		signature := hexSHA256(plainSecret, strings.NewReplacer("{timestamp}", c.good[0], "{body}", c.good[1]).Replace(c.content))
		if got := b.verdictOn(customRequest(c.good[1], "X-Id", "a", "X-Time", c.good[0], "X-Sig", signature)); got != accepted {
			t.Errorf("%s: the good request: %s", c.content, got)
		}
		if got := b.verdictOn(customRequest(c.moved[1], "X-Id", "a", "X-Time", c.moved[0], "X-Sig", signature)); got != verdict(c.want) {
			t.Errorf("%s: %s, want %s", c.content, got, c.want)
		}
	}
	b := newBench(t, customConfig(func(t *Template) { t.Content, t.TimestampFormat = "{timestamp}{body_sha256}", formatAuto }))
	const digest = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9" // of "0"
	if got := b.verdictOn(customRequest("0", "X-Id", "a", "X-Time", millis, "X-Sig", hexSHA256(plainSecret, millis+digest))); got != accepted {
		t.Errorf("a digest behind the time: %s", got)
	}
	// Where nothing separates the ID from the body, it is not relied on.
	for content, want := range map[string]bool{
		"{timestamp}.{id}{body}": false, "{timestamp}.{body}{id}": false, "{timestamp}.{body}.{id}": true, "{id}{timestamp}{body}": true,
	} {
		if got := findOrUse(t, customConfig(func(t *Template) { t.Content = content })).IDSigned; got != want {
			t.Errorf("%s: the ID counts as signed: %t, want %t", content, got, want)
		}
	}
}

// findOrUse is the row that a configuration resolves to.
func findOrUse(t *testing.T, cfg Config) *provider {
	t.Helper()
	return cfg.resolveProvider(func(format string, args ...any) { t.Fatalf(format, args...) })
}

// TestAmbiguousBodies guards values that count against a second member of the
// same name, which the application may read instead of the first.
func TestAmbiguousBodies(t *testing.T) {
	tick := newClock()
	cfg := customConfig(func(t *Template) {
		*t = Template{
			Signature: t.Signature,
			Timestamp: []Place{{JSON: "meta.at"}}, TimestampFormat: "auto",
			ID:   []Place{{JSON: "meta.id"}},
			Type: []Place{{JSON: "type"}},
		}
	})
	at := attempt{at: tick.Now()}.millis()
	for _, c := range []struct {
		name, body string
		want       verdict
		id         string
	}{
		{"good", `{"meta":{"at":` + at + `,"id":"e1"},"type":"t"}`, accepted, "e1"},
		{"time as text", ` {"meta":{"at":"` + at + `","id":"e1"}} `, accepted, "e1"},
		{"two times", `{"meta":{"at":` + at + `,"id":"e1","at":` + at + `}}`, verdict(ReasonTimestampMalformed), "e1"},
		{"two times, one escaped", `{"meta":{"at":` + at + `,"id":"e1","\u0061t":1}}`, verdict(ReasonTimestampMalformed), "e1"},
		{"two parents", `{"meta":{"at":` + at + `,"id":"e1"},"meta":1}`, verdict(ReasonTimestampMalformed), ""},
		{"two IDs", `{"meta":{"at":` + at + `,"id":"e1","id":"e2"}}`, accepted, ""},
		{"no ID", `{"meta":{"at":` + at + `}}`, accepted, ""},
		{"no time", `{"meta":{"id":"e1"}}`, verdict(ReasonTimestampMalformed), "e1"},
		{"not JSON", `meta`, verdict(ReasonTimestampMalformed), ""},
		{"something after it", `{"meta":{"at":` + at + `,"id":"e1"}}{}`, verdict(ReasonTimestampMalformed), ""},
		{"cut off", `{"meta":{"at":` + at + `,"id":"e1"}`, verdict(ReasonTimestampMalformed), ""},
		{"not UTF-8", `{"meta":{"at":` + at + ",\"id\":\"\xff\"}}", verdict(ReasonTimestampMalformed), ""},
	} {
		b := newBench(t, cfg)
		if got := b.verdictOn(customRequest(c.body, "X-Sig", hexSHA256(plainSecret, c.body))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got := b.observed[0].ID; got != c.id {
			t.Errorf("%s: ID %q, want %q", c.name, got, c.id)
		}
	}
}

// TestContentWithoutTheTime guards duplicates that carry the time of their
// sending: in a header that is signed, or in the body.
func TestContentWithoutTheTime(t *testing.T) {
	for name, template := range map[string]*Template{
		"header": {Content: "{header.X-Kind}|{timestamp}|{body}", Signature: []Place{{Header: "X-Sig"}}, Timestamp: []Place{{Header: "X-Time"}}},
		"body":   {Content: "{header.X-Kind}|{body}", Signature: []Place{{Header: "X-Sig"}}, Timestamp: []Place{{JSON: "at"}}},
	} {
		b := newBench(t, customConfig(func(t *Template) { *t = *template }))
		send := func(kind, text string, at time.Time) verdict {
			unix := attempt{at: at}.unix()
			body, signed := `{"text":"`+text+`"}`, kind+"|"+unix+"|"
			if name == "body" {
				body, signed = `{"at":`+unix+`,"text":"`+text+`"}`, kind+"|"
			}
			return b.verdictOn(customRequest(body, "X-Kind", kind, "X-Time", unix, "X-Sig", hexSHA256(plainSecret, signed+body)))
		}
		now := b.clock.Now()
		for i, c := range []struct {
			kind, text string
			at         time.Time
			want       verdict
		}{
			{"a", "one", now, accepted},
			{"a", "one", now.Add(time.Minute), again},
			{"b", "one", now, accepted}, // a signed header tells events apart
			{"a", "two", now, accepted},
			{"a", "two", now.Add(-time.Minute), again},
		} {
			if got := send(c.kind, c.text, c.at); got != c.want {
				t.Errorf("time in the %s, request %d: %s, want %s", name, i, got, c.want)
			}
		}
	}
}

// TestDistinguish guards the topics of Shopify, which come with the same body.
func TestDistinguish(t *testing.T) {
	b := newBench(t, Config{Provider: "shopify", Secrets: []string{plainSecret}})
	const body = `{"id":1}`
	for _, c := range []struct {
		topic string
		want  verdict
	}{{"orders/create", accepted}, {"orders/paid", accepted}, {"orders/create", again}} {
		r := customRequest(body, "X-Shopify-Hmac-Sha256", b64SHA256(plainSecret, body), "X-Shopify-Topic", c.topic)
		if got := b.verdictOn(r); got != c.want {
			t.Errorf("%s: %s, want %s", c.topic, got, c.want)
		}
	}
}
