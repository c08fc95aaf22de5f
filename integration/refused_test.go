package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// refusingCaddyfile has every handler that reads bodies.
func refusingCaddyfile(admin, site string) string {
	return fmt.Sprintf(`{
	admin %s
	webhooks {
		event_types *
	}
}

http://%s {
	route /received {
		webhook_receive github {
			secret %[3]s
			max_size 64KiB
		}
		respond 200
	}
	route /limited {
		webhook_receive github {
			secret %[3]s
			ip_rate 1/h
		}
		respond 200
	}
	route /signed {
		webhook_sign github %[3]s {
			max_size 64KiB
		}
		respond 200
	}
	route /events {
		webhook_publish
	}
	route /inbox {
		webhook_publish github.push {
			max_size 64KiB
		}
	}
	handle_path /settings/* {
		webhook_settings
	}
}
`, admin, site, githubSecret)
}

// TestRefusalsAreSeen guards that a client is told why its request was refused
// even if it sends all of its body before it reads, and says that the connection
// is not needed any more: one that is closed with something left to read is reset.
func TestRefusalsAreSeen(t *testing.T) {
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(refusingCaddyfile(c.admin, site))
	const kib = 1 << 10
	tests := []struct {
		name    string
		line    string // the first one
		headers string
		size    int // of the body
		status  int
	}{
		{"received, too large", "POST /received", "", 65 * kib, 413},
		{"received, twice what it may be", "POST /received", "", 128 * kib, 413},
		{"received, of a wrong method", "PUT /received", "", 255 * kib, 405},
		{"received, without a signature", "POST /received", "", 64 * kib, 401},
		{"received, over the rate", "POST /limited", "", 255 * kib, 429},
		{"signed, too large", "POST /signed", "", 65 * kib, 413},
		{"published, too large", "POST /events", "", 1025 * kib, 413},
		{"published, twice what it may be", "POST /events", "", 2048 * kib, 413},
		{"published, of a wrong method", "PUT /events", "", 255 * kib, 405},
		{"published, of a wrong type", "POST /events", "Content-Type: text/plain\r\n", 255 * kib, 415},
		{"put into the inbox, too large", "POST /inbox", "", 65 * kib, 413},
		{"put into the inbox, of a wrong method", "PUT /inbox", "", 255 * kib, 405},
		{"settings, too large", "POST /settings/api/endpoints", "Content-Type: application/json\r\n", 65 * kib, 413},
		{"settings, of a wrong method", "PUT /settings/api/endpoints", "", 255 * kib, 405},
		{"settings, of a wrong type", "POST /settings/api/endpoints", "Content-Type: text/plain\r\n", 64 * kib, 415},
		{"settings, where nothing is", "POST /settings/nothing", "", 255 * kib, 404},
	}
	if got := firstStatus(t, site, "POST /limited HTTP/1.1\r\nHost: "+site+"\r\nConnection: close\r\n\r\n"); got != 401 {
		t.Fatalf("what is within the rate is answered %d", got)
	}
	for _, tt := range tests {
		body := strings.Repeat("x", tt.size)
		for how, head := range map[string]string{
			"of known length": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", tt.size, body),
			"in chunks":       fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", tt.size, body),
		} {
			t.Run(tt.name+", "+how, func(t *testing.T) {
				t.Parallel()
				got := lateStatus(t, site, tt.line+" HTTP/1.1\r\nHost: "+site+"\r\nConnection: close\r\n"+tt.headers+head)
				if got != tt.status {
					t.Fatalf("answered %d, want %d", got, tt.status)
				}
			})
		}
	}
	t.Run("nobody is asked for what is too large", func(t *testing.T) {
		for _, path := range []string{"/received", "/signed", "/events", "/inbox"} {
			t.Log(path)
			got := firstStatus(t, site, "POST "+path+" HTTP/1.1\r\nHost: "+site+"\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n")
			if got != 413 {
				t.Errorf("%s is answered %d", path, got)
			}
		}
	})
}

// firstStatus sends all of a request before it reads, and returns the status
// that comes back first.
func firstStatus(t *testing.T, site, request string) (status int) {
	t.Helper()
	conn := dialSite(t, site)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return readStatus(t, bufio.NewReader(conn))
}

// lateStatus sends a request but for the last bytes of its body, sees to it that
// nothing is answered, and then is like firstStatus. A server that answers without
// having read all of the body would reset the connection: whether that overtakes
// its answer is up to the buffers between the two.
func lateStatus(t *testing.T, site, request string) (status int) {
	t.Helper()
	conn := dialSite(t, site)
	early := len(request) - 100
	if _, err := io.WriteString(conn, request[:early]); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if err := conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("answered before all of the body was sent: %v", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request[early:]); err != nil {
		t.Fatal(err)
	}
	return readStatus(t, in)
}

func dialSite(t *testing.T, site string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", site)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func readStatus(t *testing.T, in *bufio.Reader) int {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}
