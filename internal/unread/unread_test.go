package unread

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestTheAnswerIsSeen guards that a client which sends all of a body before it
// reads is told why it was refused, and does not find the connection reset.
func TestTheAnswerIsSeen(t *testing.T) {
	const most = 1 << 20
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := r.URL.Path == "/begun"
		if begun {
			if _, err := io.CopyN(io.Discard, r.Body, 10); err != nil {
				t.Error(err)
			}
		}
		Discard(w, r, most, begun)
		http.Error(w, "no", http.StatusRequestEntityTooLarge)
	}))
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	body := strings.Repeat("x", most)
	chunked := fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	for name, request := range map[string]string{
		"that closes":                "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1048576\r\n\r\n" + body,
		"that has begun":             "POST /begun HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1048576\r\n\r\n" + body,
		"in chunks":                  "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + chunked,
		"of HTTP/1.0":                "POST / HTTP/1.0\r\nContent-Length: 1048576\r\n\r\n" + body,
		"of HTTP/1.0 that expects":   "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1048576\r\n\r\n" + body,
		"that was asked for it":      "POST /begun HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\n" + chunked,
		"without a body":             "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"that waits to be asked":     "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1048576\r\n\r\n",
		"that expects more, too":     "POST / HTTP/1.1\r\nHost: h\r\nExpect: else, 100-Continue\r\nContent-Length: 1048576\r\n\r\n",
		"that waits and then closes": "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 1048576\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			head, rest, _ := strings.Cut(request, "\r\n\r\n")
			half := len(rest) / 2
			send(t, conn, head+"\r\n\r\n"+rest[:half])
			if strings.Contains(head, "/begun") && strings.Contains(head, "Expect") {
				if got := readStatus(t, conn, in); got != http.StatusContinue {
					t.Fatalf("answered %d, want to be asked for the body", got)
				}
			}
			if rest != "" {
				// An answer before the body is there comes from a server that
				// does not wait for it.
				if err := conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				if _, err := in.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("answered before all of the body was sent: %v", err)
				}
			}
			send(t, conn, rest[half:])
			if got := readStatus(t, conn, in); got != http.StatusRequestEntityTooLarge {
				t.Fatalf("answered %d", got)
			}
		})
	}
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if err := conn.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func readStatus(t *testing.T, conn net.Conn, in *bufio.Reader) int {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// TestTheStreamIsNotReset guards the same with HTTP/2: no reset follows an answer,
// which some clients would take for the failure of the request.
func TestTheStreamIsNotReset(t *testing.T) {
	began := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		Discard(w, r, 0, false)
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	head := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/"}} {
		if err := head.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			t.Fatal(err)
		}
	}
	frames := http2.NewFramer(conn, conn)
	fields := block.Bytes()
	err = errors.Join(frames.WriteSettings(), frames.WriteSettingsAck())
	for id := uint32(1); id < 40 && err == nil; id += 2 {
		err = frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: fields, EndHeaders: true})
		<-began
		err = errors.Join(err, frames.WriteData(id, true, []byte("body")), frames.WritePing(false, [8]byte{byte(id)}))
		for answered, asked := false, false; err == nil && !(answered && asked); {
			var frame http2.Frame
			switch frame, err = frames.ReadFrame(); frame := frame.(type) {
			case *http2.HeadersFrame:
				answered = true
				err = frames.WritePing(false, [8]byte{0, byte(id)}) // what it is answered comes after a reset
			case *http2.PingFrame:
				asked = frame.Data == [8]byte{0, byte(id)}
			case *http2.RSTStreamFrame:
				t.Fatalf("the stream %d was reset: %v", id, frame.ErrCode)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAtMost: a long body is not read to its end, and one that is not
// there not at all.
func TestAtMost(t *testing.T) {
	for _, tt := range []struct {
		name  string
		major int
		size  int64
		want  int64
	}{
		{"a small one", 1, 100, 256<<10 + 1},
		{"a large one", 1, 1 << 20, 2<<20 + 1},
		{"a body of any size", 1, math.MaxInt64, 1 << 24},
		{"HTTP/2", 2, 1 << 20, 2<<20 + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			long := &counted{}
			r := &http.Request{ProtoMajor: tt.major, Body: long}
			Discard(httptest.NewRecorder(), r, tt.size, false)
			if long.read != tt.want {
				t.Errorf("%d bytes were read, want %d", long.read, tt.want)
			}
		})
	}
	Discard(httptest.NewRecorder(), &http.Request{ProtoMajor: 1}, 100, false)
	Discard(httptest.NewRecorder(), &http.Request{ProtoMajor: 1, Body: http.NoBody}, 100, false)
}

// counted is a body of 16 MiB that counts what is read of it.
type counted struct{ read int64 }

func (c *counted) Read(p []byte) (int, error) {
	if c.read >= 1<<24 {
		return 0, io.EOF
	}
	c.read += int64(len(p))
	return len(p), nil
}

func (*counted) Close() error { return nil }
