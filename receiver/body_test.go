package receiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// TestExactBytesReachTheApplication sends bodies of all sizes over a real
// connection, with their length and in chunks.
func TestExactBytesReachTheApplication(t *testing.T) {
	type arrival struct {
		body, again   string
		length        int64
		encoding      []string
		err, errAgain error
	}
	got := make(chan arrival, 1)
	rc := mustNew(t, testConfig("standard"), Options{})
	server := httptest.NewServer(rc.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var a arrival
		a.length, a.encoding = r.ContentLength, r.TransferEncoding
		body, err := io.ReadAll(r.Body)
		a.body, a.err = string(body), err
		second, err := r.GetBody()
		if err == nil {
			body, err = io.ReadAll(second)
		}
		a.again, a.errAgain = string(body), err
		got <- a
	})))
	defer server.Close()
	secret, err := webhook.ParseSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	for i, body := range []string{"", "{}", "not JSON\x00\xff\r\n", strings.Repeat("a", firstBodyBuffer), strings.Repeat("b", firstBodyBuffer+1), strings.Repeat("c", DefaultMaxSize)} {
		for _, chunked := range []bool{false, true} {
			var src io.Reader = strings.NewReader(body)
			if chunked {
				src = io.MultiReader(src) // hides the length
			}
			r, err := http.NewRequest(http.MethodPost, server.URL, src)
			if err != nil {
				t.Fatal(err)
			}
			id := eventID(2 * i)
			if chunked {
				id = eventID(2*i + 1)
			}
			webhook.SetHeaders(r.Header, []webhook.Signer{secret}, id, time.Now(), []byte(body))
			answer, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Fatalf("%d bytes, chunked %t: status %d", len(body), chunked, answer.StatusCode)
			}
			a := <-got
			if a.err != nil || a.errAgain != nil || a.body != body || a.again != body {
				t.Errorf("%d bytes, chunked %t: %d arrived (%v), %d at the second reading (%v), not the same", len(body), chunked, len(a.body), a.err, len(a.again), a.errAgain)
			}
			if a.length != int64(len(body)) || a.encoding != nil {
				t.Errorf("%d bytes, chunked %t: ContentLength %d, TransferEncoding %v", len(body), chunked, a.length, a.encoding)
			}
		}
	}
}

func TestSizeLimit(t *testing.T) {
	for _, c := range []struct {
		name string
		body io.Reader
		size int64
		want Reason
	}{
		{"exact", strings.NewReader("0123456789"), 10, ReasonSignatureMismatch},
		{"one more than declared", strings.NewReader("0123456789a"), -1, ReasonTooLarge},
		{"declared", brokenReader{io.ErrUnexpectedEOF}, 11, ReasonTooLarge},
		{"larger than any buffer", strings.NewReader(strings.Repeat("x", 1<<20)), -1, ReasonTooLarge},
		{"a smaller limit around it", brokenReader{&http.MaxBytesError{Limit: 5}}, -1, ReasonTooLarge},
		{"broken off", brokenReader{io.ErrUnexpectedEOF}, 10, ReasonBodyUnreadable},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig("standard")
			cfg.MaxSize = 10
			b := newBench(t, cfg)
			r := b.signed(t, 1)
			r.Body, r.ContentLength = io.NopCloser(c.body), c.size
			_, err := b.send(r)
			if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Reason != c.want {
				t.Errorf("error %v, want reason %s", err, c.want)
			}
		})
	}
}

// Guards against a body that announces a lot and sends little, many times.
func TestDeclaredLengthTakesNoMemory(t *testing.T) {
	cfg := testConfig("standard")
	cfg.MaxSize = 1 << 40
	b := newBench(t, cfg)
	r := b.signed(t, 1)
	r.Body, r.ContentLength = io.NopCloser(brokenReader{io.ErrUnexpectedEOF}), 1<<39
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := b.send(r)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Fatal("a body that broke off was accepted")
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("%d bytes were allocated", took)
	}
}

// Guards against a pooled buffer that the application, or a transport that is
// still reading after the handler has returned, sees being written again.
func TestBodyOutlivesTheHandler(t *testing.T) {
	b := newBench(t, testConfig("standard"))
	kept := make([]io.Reader, 0, 50)
	var want []string
	for n := range cap(kept) {
		id := eventID(n)
		r, body := signedRequest(t, "standard", id, b.clock.Now(), paddedData(id, 1000))
		b.mustAccept(t, r)
		kept, want = append(kept, r.Body), append(want, string(body))
	}
	var got []string
	for _, body := range kept {
		all, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(all))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bodies changed after their requests (-want +got):\n%s", diff)
	}
}

func TestTypeOf(t *testing.T) {
	long := strings.Repeat("x", maxTypeLength)
	for _, c := range []struct{ body, want string }{
		{`{"type":"a.b"}`, "a.b"},
		{`{"data":{"type":"inner"},"type":"outer"}`, "outer"},
		{`{"data":{"type":"inner"}}`, ""},
		{` {"type" : "a\u002eb"} trailing`, "a.b"},
		{`{"type":"a.b", broken`, "a.b"},
		{`{"type":"first","type":"second"}`, "first"},
		{`{"Type":"a.b"}`, ""},
		{`{"type":1}`, ""},
		{`{"type":null}`, ""},
		{`{"type":{"a":"b"}}`, ""},
		{`["type","a.b"]`, ""},
		{`"type"`, ""},
		{`{"x":`, ""},
		{`{"x":[1,2`, ""},
		{`{"type":"` + long + `"}`, long},
		{`{"type":"` + long + `x"}`, ""},
		{``, ""},
		{"\x00\xff", ""},
		{`{"pad":"` + strings.Repeat("x", maxTypeScan) + `","type":"a.b"}`, ""},
	} {
		if got := typeOf([]byte(c.body), "type"); got != c.want {
			t.Errorf("%.40q: type %q, want %q", c.body, got, c.want)
		}
	}
	if got := typeOf([]byte(`{"":"a"}`), ""); got != "" {
		t.Errorf("no member: type %q, want none", got)
	}
}

func FuzzTypeOf(f *testing.F) {
	for _, seed := range []string{`{"type":"a.b"}`, `{"x":{"type":1},"type":"y"}`, `[`, `{"type":"\ud800"}`, "{\"type\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		got := typeOf(body, "type")
		if len(got) > maxTypeLength {
			t.Errorf("a type of %d bytes", len(got))
		}
		if json.Valid(body) && utf8.Valid(body) && len(body) < maxTypeScan {
			if want := firstString(body, "type"); got != want {
				t.Errorf("type %q, encoding/json finds %q", got, want)
			}
		}
		if !bytes.Equal(before, body) {
			t.Error("the body was changed")
		}
		if again := typeOf(body, "type"); again != got {
			t.Errorf("type %q at first, then %q", got, again)
		}
	})
}

// firstString does with encoding/json what [typeOf] does, for valid JSON.
func firstString(body []byte, member string) string {
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return ""
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return ""
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			return ""
		}
		if name == member {
			text, _ := value.(string)
			if len(text) > maxTypeLength {
				return ""
			}
			return text
		}
	}
	return ""
}
