package sender_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// benchPublishers is how many publish at once in the benchmarks.
const benchPublishers = 64

// benchData is the data of an event of about 1 KB.
var benchData = []byte(`{"text":"` + strings.Repeat("x", 1000) + `"}`)

// sink is the least HTTP server: it answers every request with 204, and counts
// them. It takes as little as possible of the time that is measured.
type sink struct {
	url  string
	got  atomic.Int64
	each func()
	body func([]byte) // is given the body of every request, if it is not nil
}

func newSink(b testing.TB) *sink { return newSinkFor(b, nil) }

// newSinkFor makes a sink that hands on the bodies it gets.
func newSinkFor(b testing.TB, body func([]byte)) *sink {
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &sink{url: "http://" + listener.Addr().String() + "/", body: body}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	b.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return s
}

// serve answers the requests of one connection. They have a Content-Length, as
// deliveries do.
func (s *sink) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 8<<10)
	answer := []byte("HTTP/1.1 204 No Content\r\n\r\n")
	for {
		length := 0
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) <= 2 {
				break
			}
			if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
				for _, digit := range bytes.TrimSpace(value) {
					length = 10*length + int(digit-'0')
				}
			}
		}
		if s.body != nil {
			body, err := in.Peek(length) // which must fit into the buffer
			if err != nil {
				return
			}
			s.body(body)
		}
		if _, err := in.Discard(length); err != nil {
			return
		}
		s.got.Add(1)
		if s.each != nil {
			s.each()
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// publishers runs b.N publications from 64 goroutines.
func publishers(b *testing.B, publish func() error) { publishN(b, b.N, publish) }

// publishN runs n publications from 64 goroutines.
func publishN(b *testing.B, n int, publish func() error) {
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	for range benchPublishers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := publish(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func benchRig(b *testing.B, c sender.Config) *rig {
	r := &rig{t: b, config: c}
	r.open()
	return r
}

// BenchmarkPublish stores events on disk, with a full fsync before each
// receipt, and delivers none.
func BenchmarkPublish(b *testing.B) {
	for _, endpoints := range []int{0, 1} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) {
			c := toPeers()
			for i := range endpoints {
				c.Endpoints = append(c.Endpoints, sender.Endpoint{ID: fmt.Sprint(i), URL: "http://127.0.0.1:1/"})
			}
			r := benchRig(b, c)
			b.ReportAllocs()
			b.ResetTimer()
			publishers(b, func() error {
				_, err := r.Publish(b.Context(), webhook.Event{Type: "message.created", Data: benchData})
				return err
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(r.Unsettled()), "unsettled")
		})
	}
}

// BenchmarkDeliver compares publishing durably and delivering, from the first
// publication to the last delivery, with a loop that only posts the same
// signed requests and keeps nothing.
func BenchmarkDeliver(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		s := newSink(b)
		secret, err := webhook.ParseSecret(secretText)
		if err != nil {
			b.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchPublishers}}
		b.Cleanup(client.CloseIdleConnections)
		b.ReportAllocs()
		b.ResetTimer()
		publishers(b, func() error { return postSigned(b, client, s.url, secret) })
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("sender", func(b *testing.B) {
		s := newSink(b)
		c := toPeers()
		c.Endpoints = []sender.Endpoint{{ID: "sink", URL: s.url, Secrets: []string{secretText}}}
		r := benchRig(b, c)
		r.start()
		done := make(chan struct{})
		s.each = func() {
			if s.got.Load() == int64(b.N) {
				close(done)
			}
		}
		b.ReportAllocs()
		b.ResetTimer()
		publishers(b, func() error {
			_, err := r.Publish(b.Context(), webhook.Event{Type: "message.created", Data: benchData})
			return err
		})
		published := b.Elapsed()
		<-done
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64(b.N)/published.Seconds(), "published/s")
	})
}

// postSigned posts one event as a delivery is posted, with nothing around it.
func postSigned(b *testing.B, client *http.Client, url string, secret *webhook.Secret) error {
	now := time.Now()
	id, err := webhook.NewEventID(now, rand.Reader)
	if err != nil {
		return err
	}
	e := webhook.Event{ID: id, Type: "message.created", Timestamp: now, Data: benchData}
	body, contentType := webhook.FormatManySends.AppendBody(nil, &e, secret)
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	webhook.SetHeaders(req.Header, []webhook.Signer{secret}, id, now, body)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// BenchmarkLatency is the time from the call of Publish to the request at the
// endpoint, one event at a time.
func BenchmarkLatency(b *testing.B) {
	s := newSink(b)
	arrived := make(chan struct{}, 1)
	s.each = func() { arrived <- struct{}{} }
	c := toPeers()
	c.Endpoints = []sender.Endpoint{{ID: "sink", URL: s.url, Secrets: []string{secretText}}}
	r := benchRig(b, c)
	r.start()
	for b.Loop() {
		if _, err := r.Publish(b.Context(), webhook.Event{Type: "message.created", Data: benchData}); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
}
