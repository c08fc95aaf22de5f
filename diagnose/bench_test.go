package diagnose_test

import (
	"strconv"
	"strings"
	"testing"
)

// BenchmarkStandardUnknown is the most work there is: no guess is right.
func BenchmarkStandardUnknown(b *testing.B) {
	for _, size := range []int{200, 64 << 10, 1 << 20} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			m := newMessage(`{"type":"a.b","data":"` + strings.Repeat("é/<", size/4) + `"}`)
			m.keys = []string{otherKey}
			for b.Loop() {
				if m.explain().Verified {
					b.Fatal("verified")
				}
			}
		})
	}
}
