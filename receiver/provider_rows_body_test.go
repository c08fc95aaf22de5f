package receiver

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// changeBody replaces something in the body, which must be there.
func changeBody(t testing.TB, r *http.Request, before, after string) {
	t.Helper()
	content, err := io.ReadAll(r.Body)
	if err != nil || !strings.Contains(string(content), before) {
		t.Fatalf("body %q, error %v", content, err)
	}
	setBody(r, strings.Replace(string(content), before, after, 1))
}

func setBody(r *http.Request, text string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
}

// testInBody alters what is in the body of the event that b has had.
func testInBody(t *testing.T, s sample, b *bench, first attempt) {
	t.Helper()
	content, err := io.ReadAll(s.request(first, "one").Body)
	if err != nil {
		t.Fatal(err)
	}
	body := string(content)
	send := func(b *bench, body string) verdict {
		r := s.request(first, "one")
		setBody(r, body)
		return b.verdictOn(r)
	}
	later := first
	later.at = later.at.Add(time.Minute)
	for _, part := range []struct {
		what, from, to string
		covered        bool
	}{
		{"the ID in the body", first.id, "evt9", s.does(coveredID)},
		{"the time in the body, in seconds", first.unix(), later.unix(), s.does(coveredTime)},
		{"the time in the body, as text", first.rfc3339(), later.rfc3339(), s.does(coveredTime)},
		{"what is not covered of the body", openText, "anything", false},
	} {
		if !strings.Contains(body, part.from) {
			continue
		}
		changed := strings.ReplaceAll(body, part.from, part.to)
		covered := part.covered || s.does(coveredBody) && part.from != openText
		if got := send(s.bench(t), changed); covered && !isForged(got) || !covered && got != accepted {
			t.Errorf("%s: %s", part.what, got)
		}
		if part.from != openText {
			continue
		}
		if got := send(b, changed); got != again {
			t.Errorf("replayed with another of %s: %s", part.what, got)
		}
	}
	changed := strings.Replace(body, "one", "0ne", 1)
	if s.does(coveredID) {
		if got := send(b, changed); got != again && !isForged(got) {
			t.Errorf("replayed with another body: %s", got)
		}
	}
	if s.collide == nil {
		return
	}
	changed = s.collide(body, strings.Replace(changed, first.id, "evt9", 1))
	if got := send(s.bench(t), changed); got != accepted {
		t.Errorf("another body that passes for the original: %s", got)
	}
	if got := send(b, changed); got != again {
		t.Errorf("replayed with it: %s", got)
	}
}
