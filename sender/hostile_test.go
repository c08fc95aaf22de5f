package sender_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answers answers with a status and headers.
func answers(status int, header ...string) answerFunc {
	return func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}
}

// sends answers with bytes, and closes the connection.
func sends(text string) answerFunc {
	return func(t *testing.T, w http.ResponseWriter, _ *http.Request) { hijack(t, w, text) }
}

// resets answers with bytes, and resets the connection.
func resets(text string) answerFunc {
	return func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

// drips answers with bytes, and then with others again and again, until the
// sender leaves.
func drips(text, drop string) answerFunc {
	return func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for _, err = io.WriteString(conn, text); err == nil; _, err = io.WriteString(conn, drop) {
			time.Sleep(time.Millisecond) // as a drip does; the test holds without it
		}
	}
}

// stalls answers with bytes, and then with nothing until the sender leaves.
func stalls(text string) answerFunc {
	return func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, text)
		_, _ = io.Copy(io.Discard, conn)
	}
}

// pours writes a body without end, as fast as it is taken.
func pours(status int) answerFunc {
	return func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, longBody)
		}
	}
}

var longBody = strings.Repeat("x", 100<<10)

// gzipBomb is 10 MiB in a few KiB.
var gzipBomb = func() string {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, _ = zip.Write(make([]byte, 10<<20))
	_ = zip.Close()
	return bomb.String()
}()
