package receiver

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

func packGzip(t testing.TB, text string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := io.WriteString(z, text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func packZlib(t testing.TB, text string) []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	if _, err := io.WriteString(z, text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func packFlate(t testing.TB, text string) []byte {
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(z, text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDecompress(t *testing.T) {
	const text = `{"type":"message.created","data":{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}`
	const limit = 1 << 10
	half := len(text) / 2
	for _, c := range []struct {
		name, coding string
		body         []byte
		want         Reason
	}{
		{"gzip", "gzip", packGzip(t, text), ""},
		{"gzip in capitals", " GZIP ", packGzip(t, text), ""},
		{"x-gzip", "x-gzip", packGzip(t, text), ""},
		{"gzip in two members", "gzip", append(packGzip(t, text[:half]), packGzip(t, text[half:])...), ""},
		{"deflate", "deflate", packZlib(t, text), ""},
		{"bare deflate", "deflate", packFlate(t, text), ""},
		{"identity", "identity", []byte(text), ""},
		{"nothing said", "", []byte(text), ""},
		{"br", "br", packGzip(t, text), ReasonEncoding},
		{"two codings", "gzip, gzip", packGzip(t, text), ReasonEncoding},
		{"gzip with something behind it", "gzip", append(packGzip(t, text), "x"...), ReasonBodyUnreadable},
		{"gzip with zeros behind it", "gzip", append(packGzip(t, text), make([]byte, 32)...), ReasonBodyUnreadable},
		{"deflate with something behind it", "deflate", append(packZlib(t, text), 'x'), ReasonBodyUnreadable},
		{"bare deflate with something behind it", "deflate", append(packFlate(t, text), 'x'), ReasonBodyUnreadable},
		{"gzip broken off", "gzip", packGzip(t, text)[:30], ReasonBodyUnreadable},
		{"not gzip", "gzip", []byte(text), ReasonBodyUnreadable},
		{"nothing in it", "gzip", nil, ReasonBodyUnreadable},
		{"as large as can be", "gzip", packGzip(t, strings.Repeat("x", limit)), ReasonSignatureMismatch},
		{"a bomb", "gzip", packGzip(t, strings.Repeat("x", limit+1)), ReasonTooLarge},
		{"a bomb in members", "gzip", bytes.Repeat(packGzip(t, strings.Repeat("x", limit-1)), 2), ReasonTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig("standard")
			cfg.Decompress, cfg.MaxSize = new(true), limit
			b := newBench(t, cfg)
			r := b.signedBody(t, "evt_1", text)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
			r.Header.Set("Content-Length", strconv.Itoa(len(c.body)))
			if c.coding != "" {
				r.Header.Set("Content-Encoding", c.coding)
			}
			err := b.Handle(httptest.NewRecorder(), r, func(_ http.ResponseWriter, r *http.Request) error {
				b.calls++
				got, err := io.ReadAll(r.Body)
				if err != nil || string(got) != text {
					t.Errorf("the application got %q, %v", got, err)
				}
				_, coded := r.Header["Content-Encoding"]
				if coded && c.coding != "identity" || r.ContentLength != int64(len(text)) || r.Header.Get("Content-Length") != strconv.Itoa(len(text)) {
					t.Errorf("ContentLength %d, headers %v: they are not those of the body", r.ContentLength, r.Header)
				}
				return nil
			})
			var refusal *Refusal
			errors.As(err, &refusal)
			switch {
			case c.want == "":
				if err != nil || b.calls != 1 {
					t.Errorf("error %v, %d calls", err, b.calls)
				}
			case refusal == nil || refusal.Reason != c.want || b.calls != 0:
				t.Errorf("error %v, want %s", err, c.want)
			case c.want == ReasonEncoding && refusal.Status != http.StatusUnsupportedMediaType:
				t.Errorf("status %d, want 415", refusal.Status)
			}
		})
	}
}

// Without decompression, the signature is that of the bytes as they came, and
// so are they passed on.
func TestNoDecompression(t *testing.T) {
	secret, err := webhook.ParseSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, coding := range []string{"gzip", "br"} {
		b := newBench(t, testConfig("standard"))
		packed := packGzip(t, `{"a":1}`)
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(packed))
		r.Header.Set("Content-Encoding", coding)
		webhook.SetHeaders(r.Header, []webhook.Signer{secret}, "evt_1", b.clock.Now(), packed)
		err := b.Handle(httptest.NewRecorder(), r, func(_ http.ResponseWriter, r *http.Request) error {
			got, err := io.ReadAll(r.Body)
			if err != nil || !bytes.Equal(got, packed) || r.Header.Get("Content-Encoding") != coding {
				t.Errorf("%s: %d bytes, %v, headers %v: want it untouched", coding, len(got), err, r.Header)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", coding, err)
		}
	}
}

// The row of a provider decides where the configuration says nothing.
func TestDecompressByProvider(t *testing.T) {
	row := *findProvider("standard")
	row.decompress = true
	for _, c := range []struct {
		config *bool
		want   bool
	}{{nil, true}, {new(false), false}, {new(true), true}} {
		cfg := testConfig("standard")
		cfg.Decompress = c.config
		rc := mustNew(t, cfg, Options{})
		rc.provider = &row
		if got := rc.decompresses(); got != c.want {
			t.Errorf("configuration %v: decompresses %t, want %t", c.config, got, c.want)
		}
	}
}

func FuzzInflate(f *testing.F) {
	f.Add(packGzip(f, "abc"), uint8(codingGzip))
	f.Add(packZlib(f, "abc"), uint8(codingDeflate))
	f.Add(packFlate(f, "abc"), uint8(codingDeflate))
	f.Fuzz(func(t *testing.T, packed []byte, from uint8) {
		const limit = 4096
		var b bodyBuffer
		if refusal := b.inflate(packed, coding(from%2+uint8(codingGzip)), limit); refusal == nil && len(b.bytes) > limit {
			t.Errorf("%d bytes, more than the limit", len(b.bytes))
		}
	})
}
