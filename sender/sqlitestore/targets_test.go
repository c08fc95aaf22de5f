package sqlitestore

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestTargets(t *testing.T) {
	for _, endpoints := range [][]int64{nil, {1}, {127, 128, 16383, 16384}, {math.MaxInt64, 1, 3}} {
		var list []byte
		for _, endpoint := range endpoints {
			list = appendTarget(list, endpoint)
		}
		if got, err := decodeTargets(nil, list); err != nil || !slices.Equal(got, endpoints) {
			t.Errorf("%v are read as %v, %v", endpoints, got, err)
		}
	}
	for name, list := range map[string][]byte{
		"zero":       {0},
		"cut short":  {1, 0x80},
		"too large":  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"overflows":  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"zero later": {1, 2, 0, 3},
	} {
		if got, err := decodeTargets(nil, list); !errors.Is(err, errTargets) {
			t.Errorf("%s: %v is read as %v, %v", name, list, got, err)
		}
	}
}

// FuzzTargets reads any bytes without harm, and what it reads can be written
// and read again.
func FuzzTargets(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0x80, 0x01})
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, list []byte) {
		endpoints, err := decodeTargets(nil, list)
		if err != nil {
			if endpoints != nil || !errors.Is(err, errTargets) {
				t.Fatalf("%v is read as %v, %v", list, endpoints, err)
			}
			return
		}
		var again []byte
		for _, endpoint := range endpoints {
			if endpoint < 1 {
				t.Fatalf("%v has endpoint %d", list, endpoint)
			}
			again = appendTarget(again, endpoint)
		}
		if got, err := decodeTargets(nil, again); err != nil || !slices.Equal(got, endpoints) {
			t.Fatalf("%v is written as %v and read as %v, %v", endpoints, again, got, err)
		}
	})
}
