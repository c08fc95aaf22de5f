package sender

import (
	"strings"
	"testing"
)

// BenchmarkParseEvent reads a published event of about 1 KB.
func BenchmarkParseEvent(b *testing.B) {
	body := []byte(`{"event":"message.created","data":{"id":12345,"text":"` + strings.Repeat("x", 400) +
		`","contact":{"id":99,"name":"Jane Doe","email":"jane@example.com","tags":["a","b","c"]},"more":"` + strings.Repeat("lorem ipsum ", 40) + `"}}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseEvent(body); err != nil {
			b.Fatal(err)
		}
	}
}
