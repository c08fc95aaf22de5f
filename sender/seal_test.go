package sender

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

// sealingKeyOf is a key of 32 equal bytes, as it is written in a configuration.
func sealingKeyOf(b byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}

func mustSealer(t testing.TB, keys ...string) *sealer {
	t.Helper()
	s, err := newSealer(keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealerKeys(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 33))
	tests := []struct {
		name string
		keys []string
		want string // what the error must hold; empty for none
	}{
		{"none", nil, ""},
		{"one", []string{sealingKeyOf(1)}, ""},
		{"without padding", []string{strings.TrimRight(sealingKeyOf(1), "=")}, ""},
		{"two", []string{sealingKeyOf(1), sealingKeyOf(2)}, ""},
		{"empty", []string{sealingKeyOf(1), ""}, "key 2 is empty"},
		{"short", []string{"c2VjcmV0"}, "key 1 has 6 bytes and must have 32"},
		{"long", []string{sealingKeyOf(1), long}, "key 2 has 33 bytes"},
		{"another alphabet", []string{"-_" + sealingKeyOf(1)[2:]}, "key 1 is not base64"},
		{"hexadecimal", []string{strings.Repeat("0a", 32)}, "key 1 has 48 bytes"},
		{"a line break", []string{sealingKeyOf(1) + "\n"}, "key 1 is not base64"},
		{"a line break within", []string{sealingKeyOf(1)[:20] + "\n" + sealingKeyOf(1)[20:]}, "key 1 is not base64"},
		{"bits left over", []string{sealingKeyOf(1)[:42] + "F="}, "key 1 is not base64"},
		{"the same twice", []string{sealingKeyOf(1), sealingKeyOf(2), strings.TrimRight(sealingKeyOf(1), "=")}, "key 3 is the same as key 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := newSealer(test.keys)
			if test.want == "" {
				if err != nil || len(s.keys) != len(test.keys) {
					t.Errorf("newSealer = %v, %v", s, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("newSealer: %v; want it to hold %q", err, test.want)
			}
			if !strings.Contains(err.Error(), "the same") && !strings.Contains(err.Error(), "openssl rand -base64 32") {
				t.Errorf("newSealer: %v; want it to say how to make a key", err)
			}
			for _, key := range test.keys {
				if len(key) > 8 && strings.Contains(err.Error(), key[2:8]) {
					t.Errorf("newSealer: the error holds a part of a key: %v", err)
				}
			}
		})
	}
}

func TestSealAndOpen(t *testing.T) {
	const document, context = `{"secret":"whsec_x"}`, "endpoint ep_1"
	none := mustSealer(t)
	old := mustSealer(t, sealingKeyOf(1))
	both := mustSealer(t, sealingKeyOf(2), sealingKeyOf(1))
	tests := []struct {
		name       string
		seal, open *sealer
		current    bool
	}{
		{"without a key", none, none, true},
		{"with a key", old, old, true},
		{"before there was a key", none, old, false},
		{"with the older key", old, both, false},
		{"with the newer key", both, both, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sealed, err := test.seal.seal([]byte(document), context, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if hidden := !bytes.Contains(sealed, []byte("whsec_")); hidden != (test.seal != none) {
				t.Errorf("the secret is hidden: %t", hidden)
			}
			plain, current, err := test.open.open(sealed, context)
			if err != nil || string(plain) != document || current != test.current {
				t.Errorf("open = %q, %t, %v; want %q, %t", plain, current, err, document, test.current)
			}
		})
	}
}

// TestSealedForm guards that what one version has sealed can be opened by the
// next: the bytes must not change.
func TestSealedForm(t *testing.T) {
	const want = "7365616c65643a76313a39626333313365643a" + // sealed:v1:9bc313ed:
		"6e6f6e6365206f6620313221" + // the nonce
		"2bf621547948b519023f868dbf15d07016b46e4aa1c668"
	s := mustSealer(t, sealingKeyOf(7))
	sealed, err := s.seal([]byte(`{"a":1}`), "endpoint ep_1", bytes.NewReader([]byte("nonce of 12!")))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(sealed); got != want {
		t.Errorf("seal = %s, want %s", got, want)
	}
}

func TestSealNeverRepeats(t *testing.T) {
	s := mustSealer(t, sealingKeyOf(1))
	one, _ := s.seal([]byte(`{}`), "x", rand.Reader)
	two, _ := s.seal([]byte(`{}`), "x", rand.Reader)
	if bytes.Equal(one, two) {
		t.Error("the same document sealed twice looks the same")
	}
	if _, err := s.seal([]byte(`{}`), "x", iotest.ErrReader(errors.New("no randomness"))); err == nil {
		t.Error("sealed without a nonce")
	}
	for _, s := range []*sealer{s, mustSealer(t)} {
		if _, err := s.seal([]byte("sealed:v1:what"), "x", rand.Reader); err == nil {
			t.Error("took a document that could not be told from a sealed one")
		}
	}
}

func TestOpenWithoutTheKey(t *testing.T) {
	old := mustSealer(t, sealingKeyOf(1))
	sealed, err := old.seal([]byte(`{}`), "endpoint ep_1", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*sealer{mustSealer(t), mustSealer(t, sealingKeyOf(2))} {
		_, _, err := s.open(sealed, "endpoint ep_1")
		if !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), old.keys[0].id) || !strings.Contains(err.Error(), "encryption_key") {
			t.Errorf("open: %v; want ErrSealed with the key's ID %s and the remedy", err, old.keys[0].id)
		}
	}
}

// TestOpenDamaged: nothing that has been changed, cut or moved is taken for
// what was sealed.
func TestOpenDamaged(t *testing.T) {
	s := mustSealer(t, sealingKeyOf(1), sealingKeyOf(2))
	sealed, err := s.seal([]byte(`{"a":1}`), "endpoint ep_1", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, stored []byte, context string) {
		t.Helper()
		if plain, current, err := s.open(stored, context); err == nil || plain != nil || current {
			t.Errorf("%s: open = %q, %t, %v; want an error", what, plain, current, err)
		}
	}
	check("another place", sealed, "endpoint ep_2")
	check("something added", append(bytes.Clone(sealed), 0), "endpoint ep_1")
	for n := len(sealedMagic); n < len(sealed); n++ {
		check(fmt.Sprintf("cut to %d bytes", n), sealed[:n], "endpoint ep_1")
		changed := bytes.Clone(sealed)
		changed[n] ^= 1
		check(fmt.Sprintf("byte %d changed", n), changed, "endpoint ep_1")
	}
	// The other key's ID on it must not open it, either.
	moved := bytes.Clone(sealed)
	copy(moved[len(sealedMagic):], s.keys[1].id)
	check("the ID of another key", moved, "endpoint ep_1")
}

// TestSealerHidesKeys: a sealer that ends up in a log shows no key.
func TestSealerHidesKeys(t *testing.T) {
	s := mustSealer(t, sealingKeyOf('K'))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(verb, *s) + fmt.Sprintf(verb, s.keys)
		if strings.Contains(text, "KKKK") || strings.Contains(text, "75, 75") || strings.Contains(text, "75 75") || strings.Contains(text, "0x4b, 0x4b") {
			t.Errorf("%s shows the key: %s", verb, text)
		}
	}
}

// FuzzSealer: opening whatever the store holds does not panic, and what was
// sealed comes back.
func FuzzSealer(f *testing.F) {
	s, err := newSealer([]string{sealingKeyOf(1), sealingKeyOf(2)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"a":1}`), "endpoint ep_1")
	f.Add([]byte("sealed:v1:"), "")
	f.Add([]byte("sealed:v1:"+s.keys[0].id+":"), "x")
	f.Add([]byte("sealed:v1:"+s.keys[1].id+":0123456789012345678901234567890"), "x")
	f.Fuzz(func(t *testing.T, document []byte, context string) {
		if _, _, err := s.open(document, context); (err != nil) != isSealed(document) {
			t.Errorf("open(%q) = %v", document, err)
		}
		sealed, err := s.seal(document, context, rand.Reader)
		if isSealed(document) {
			if err == nil {
				t.Errorf("sealed %q, which begins as something sealed", document)
			}
			return
		}
		plain, current, err := s.open(sealed, context)
		if err != nil || !current || !bytes.Equal(plain, document) {
			t.Errorf("open of what was sealed = %q, %t, %v; want %q", plain, current, err, document)
		}
		if _, _, err := s.open(sealed, context+"x"); err == nil {
			t.Error("it opens in another place")
		}
	})
}

func BenchmarkSealer(b *testing.B) {
	s, err := newSealer([]string{sealingKeyOf(1)})
	if err != nil {
		b.Fatal(err)
	}
	document := bytes.Repeat([]byte("{"), 1024)
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.seal(document, "endpoint ep_1", rand.Reader); err != nil {
				b.Fatal(err)
			}
		}
	})
	sealed, _ := s.seal(document, "endpoint ep_1", rand.Reader)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := s.open(sealed, "endpoint ep_1"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
