package sender

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"testing"
)

// BenchmarkReadBody reads the body of a request that declares its length, into a
// buffer that is kept as long as it is small.
func BenchmarkReadBody(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			text, from := make([]byte, size), bytes.NewReader(nil)
			w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", from)
			r.ContentLength = int64(size)
			room := make([]byte, 0, maxBodyRoom)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				from.Reset(text)
				if body, _, err := readBody(w, r, 0, room); err != nil || len(body) != size {
					b.Fatalf("%d bytes, %v", len(body), err)
				}
			}
		})
	}
}

// TestMoreRoom: a body that is declared to be large gets room as it comes.
func TestMoreRoom(t *testing.T) {
	for _, test := range []struct {
		read     int
		declared int64
		want     int
	}{
		{64 << 10, 1 << 20, 256 << 10},    // not the whole
		{320 << 10, 1 << 20, 704<<10 + 1}, // the whole
		{64 << 10, 64<<10 + 100, 101},     // nearly there
		{512, -1, 512}, {600, 512, 600},   // not declared, and wrongly
	} {
		if got := moreRoom(test.read, test.declared); got != test.want {
			t.Errorf("%d of %d bytes: %d more, want %d", test.read, test.declared, got, test.want)
		}
	}
}
