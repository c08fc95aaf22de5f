package stored

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/storedtest"
)

// detailOf is what a detail says of an attempt.
func detailOf(a sender.Attempt) sender.Attempt {
	return sender.Attempt{Timings: a.Timings, RemoteAddr: a.RemoteAddr, RequestHeaders: a.RequestHeaders, ResponseHeaders: a.ResponseHeaders}
}

func TestDetail(t *testing.T) {
	for name, a := range map[string]sender.Attempt{
		"whole":     storedtest.WholeAttempt(),
		"timings":   {Timings: sender.Timings{DNS: -1, Connect: 1 << 62, TLS: 63, FirstByte: 64}},
		"address":   {RemoteAddr: "a"},
		"one-sided": {ResponseHeaders: http.Header{"": {"", ""}, "Lower": {strings.Repeat("x", 20_000)}, "X-\xff": {"\x00"}}},
		"no values": {RequestHeaders: http.Header{"Content-Type": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			if !HasDetail(&a) {
				t.Fatal("there is nothing to keep")
			}
			detail := AppendDetail(nil, &a)
			var got sender.Attempt
			if err := DecodeDetail(&got, detail, false); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(detailOf(a), got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("detail (-want +got):\n%s", diff)
			}
			want := sender.Attempt{Timings: a.Timings, RemoteAddr: a.RemoteAddr}
			got = sender.Attempt{}
			if err := DecodeDetail(&got, detail, true); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("detail without headers (-want +got):\n%s", diff)
			}
			for n := 1; n < len(detail); n++ {
				if err := DecodeDetail(&got, detail[:n], false); !errors.Is(err, ErrDetail) {
					t.Fatalf("the first %d bytes of %d are read: %v", n, len(detail), err)
				}
			}
		})
	}
	if HasDetail(storedtest.Delivered.Attempt) {
		t.Error("an attempt without a detail has one")
	}
}

// TestDetailStays guards the numbers of header names: what was written is read
// for ever.
func TestDetailStays(t *testing.T) {
	names := map[int]string{1: "Content-Type", 2: "User-Agent", 9: "Date", 15: "X-Request-Id", 28: "Retry-After", 48: "Allow"}
	for number, name := range names {
		if headerNames[number-1] != name {
			t.Errorf("header %d is %s, want %s", number, headerNames[number-1], name)
		}
	}
	// Version 1; 1, 2, 3 and 4 ns; "a:1"; Date: x; and My: y, z.
	detail, err := hex.DecodeString("01" + "02040608" + "03613a31" + "01" + "09" + "0101" + "78" + "01" + "00" + "024d79" + "02" + "0179" + "017a")
	if err != nil {
		t.Fatal(err)
	}
	want := sender.Attempt{
		Timings: sender.Timings{DNS: 1, Connect: 2, TLS: 3, FirstByte: 4}, RemoteAddr: "a:1",
		RequestHeaders: http.Header{"Date": {"x"}}, ResponseHeaders: http.Header{"My": {"y", "z"}},
	}
	var got sender.Attempt
	if err := DecodeDetail(&got, detail, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}
}

// FuzzDetail reads any bytes without harm, and what it reads can be written
// and read again.
func FuzzDetail(f *testing.F) {
	whole := storedtest.WholeAttempt()
	f.Add(AppendDetail(nil, &whole))
	f.Add([]byte{})
	f.Add([]byte{detailVersion, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{detailVersion, 0, 0, 0, 0, 0, 2, 1, 0, 1, 0, 0})
	f.Add([]byte{detailVersion, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, detail []byte) {
		var a, again sender.Attempt
		err := DecodeDetail(&a, detail, false)
		if err != nil {
			if !errors.Is(err, ErrDetail) {
				t.Fatalf("%x: %v", detail, err)
			}
			return
		}
		if err := DecodeDetail(&again, AppendDetail(nil, &a), false); err != nil {
			t.Fatalf("%x is read, but not what is written then: %v", detail, err)
		}
		if diff := cmp.Diff(a, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%x is read otherwise the second time (-want +got):\n%s", detail, diff)
		}
	})
}

// BenchmarkDetail writes and reads the detail of an attempt.
func BenchmarkDetail(b *testing.B) {
	whole := storedtest.WholeAttempt()
	detail := AppendDetail(nil, &whole)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(len(detail)), "bytes")
		for b.Loop() {
			detail = AppendDetail(detail[:0], &whole)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var a sender.Attempt
			if err := DecodeDetail(&a, detail, false); err != nil {
				b.Fatal(err)
			}
		}
	})
}
