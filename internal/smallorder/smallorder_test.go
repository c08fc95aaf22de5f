package smallorder

import (
	"crypto/ed25519"
	"strconv"
	"testing"
)

// TestIs guards that keys with which a signature can be made without a private
// key are known, all of them, and that no others are.
func TestIs(t *testing.T) {
	forged := make([]byte, ed25519.SignatureSize)
	forged[0] = 1 // R is the neutral element, and S is 0
	for i := range points {
		for _, sign := range []byte{0, 0x80} {
			key := append(ed25519.PublicKey(nil), points[i][:]...)
			key[len(key)-1] |= sign
			taken := 0
			for n := range 100 {
				if ed25519.Verify(key, []byte(strconv.Itoa(n)), forged) {
					taken++
				}
			}
			if taken == 0 {
				t.Errorf("no message is taken for signed with %x, so that it does not belong into the list", key)
			}
			if !Is(key) {
				t.Errorf("%x is not known", key)
			}
		}
	}
	for n := range 100 {
		seed := make([]byte, ed25519.SeedSize)
		seed[0] = byte(n)
		key := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		if Is(key) {
			t.Errorf("%x is an ordinary key", key)
		}
	}
	if Is(nil) || Is(make([]byte, 31)) {
		t.Error("what is no key is known")
	}
}
