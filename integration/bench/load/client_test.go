package load

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestClientReadsAnswers has a server of net/http answer in every way that it
// does, twice, so that what is left over from the first answer would be noticed.
func TestClientReadsAnswers(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		status int
		closes bool
	}{
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, 204, false},
		{"a body", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"id":"evt_1"}`)
		}, 202, false},
		{"chunks", func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				_, _ = io.WriteString(w, strings.Repeat("0\r\n\r\n", 1000))
			}
		}, 200, false},
		{"and goes", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }, 200, true},
		{"headers that look alike", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Lengtx", "99")
			w.Header().Set("Webhook-Signature", "chunked")
			w.Header().Set("Webhook-Id", "close")
		}, 200, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &client{address: serve(t, tt.answer), deadline: time.Now().Add(time.Minute)}
			defer c.close()
			for range 2 {
				status, err := c.send(t.Context(), []byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"))
				if err != nil || status != tt.status || (c.conn == nil) != tt.closes {
					t.Errorf("status %d, closed: %v, error: %v", status, c.conn == nil, err)
				}
			}
		})
	}
}

func TestClientRefusesNonsense(t *testing.T) {
	for name, answer := range map[string]string{
		"no HTTP":         "220 mail.example.com ESMTP\r\n\r\n",
		"one word":        "HTTP/1.1\r\n\r\n",
		"no number":       "HTTP/1.1 OK\r\n\r\n",
		"no colon":        "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
		"negative length": "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"bad chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"on the way":      "HTTP/1.1 100 Continue\r\n\r\n",
		"short":           "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
		"cut off":         "HTTP/1.1 200 OK\r\nContent-",
		"nothing":         "",
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			go func() {
				in := bufio.NewReader(there)
				for {
					line, err := in.ReadString('\n')
					if err != nil || line == "\r\n" {
						break
					}
				}
				_, _ = io.WriteString(there, answer)
				_ = there.Close()
			}()
			c := &client{conn: here, in: headReader{in: bufio.NewReader(here)}}
			status, err := c.send(t.Context(), []byte("GET / HTTP/1.1\r\n\r\n"))
			if err == nil || errors.Is(err, io.EOF) || c.conn != nil {
				t.Errorf("status %d, error %v, and the connection is kept: %v", status, err, c.conn != nil)
			}
		})
	}
}
