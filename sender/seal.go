package sender

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrSealed means that something in the store is sealed with a key that the
// configuration does not hold.
var ErrSealed = errors.New("sealed with a key that is not configured")

// errDamaged means that something sealed is not what was stored.
var errDamaged = errors.New("sealed, and damaged or out of place")

const (
	// sealedMagic begins everything sealed; then come the key's ID in
	// hexadecimal digits, a colon, the nonce, and what AES-256-GCM (NIST SP
	// 800-38D) makes of the content. What is not sealed is JSON, which begins
	// otherwise.
	sealedMagic = "sealed:v1:"

	sealingKeyLength = 32
	sealingKeyIDSize = 4 // bytes
	sealedHeaderSize = len(sealedMagic) + 2*sealingKeyIDSize + 1

	// sealingKeyIDDomain keeps a key's ID from being the hash of the key that
	// something else might publish.
	sealingKeyIDDomain = "caddy-webhooks sealing key ID\x00"
)

// sealer keeps what is secret in the store from those who can read it but do
// not have the key. It is safe for concurrent use.
type sealer struct {
	keys []sealingKey // the newest first
}

// sealingKey is a key, of which nothing but its ID can be printed.
type sealingKey struct {
	id   string
	aead func() cipher.AEAD
}

// newSealer makes a sealer of keys in base64, of which the first seals and all
// open. Without keys it does not seal. Errors name a key by its position.
func newSealer(keys []string) (*sealer, error) {
	s := &sealer{}
	for i, text := range keys {
		key, err := parseSealingKey(text)
		if err != nil {
			return nil, fmt.Errorf("key %d %w: make one with: openssl rand -base64 32", i+1, err)
		}
		for j, other := range s.keys {
			if other.id == key.id {
				return nil, fmt.Errorf("key %d is the same as key %d: remove one of them", i+1, j+1)
			}
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

// same tells whether both seal with the same key.
func (s *sealer) same(other *sealer) bool {
	if len(s.keys) == 0 || len(other.keys) == 0 {
		return len(s.keys) == len(other.keys)
	}
	return s.keys[0].id == other.keys[0].id
}

// parseSealingKey reads a key. Its errors go on after the key's position, and
// do not quote what may be a part of it.
func parseSealingKey(text string) (sealingKey, error) {
	if text == "" {
		return sealingKey{}, errors.New("is empty")
	}
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(text, "=") {
		encoding = base64.StdEncoding
	}
	key, err := encoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return sealingKey{}, errors.New("is not base64 in the standard alphabet")
	}
	if len(key) != sealingKeyLength {
		return sealingKey{}, fmt.Errorf("has %d bytes and must have %d", len(key), sealingKeyLength)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealingKey{}, fmt.Errorf("cannot be used (%w)", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return sealingKey{}, fmt.Errorf("cannot be used (%w)", err)
	}
	digest := sha256.Sum256(append([]byte(sealingKeyIDDomain), key...))
	return sealingKey{id: hex.EncodeToString(digest[:sealingKeyIDSize]), aead: func() cipher.AEAD { return aead }}, nil
}

// seal encrypts a document with the newest key. The context, such as the
// document's kind and ID, is needed again to open it, so that nobody can put it
// in the place of another. Without keys it returns the document as it is. It
// fails only when random does, or when the document could be taken for a sealed
// one.
func (s *sealer) seal(plain []byte, context string, random io.Reader) ([]byte, error) {
	if isSealed(plain) {
		return nil, fmt.Errorf("%s: it begins as something sealed does", context)
	}
	if len(s.keys) == 0 {
		return plain, nil
	}
	key := s.keys[0]
	aead := key.aead()
	sealed := make([]byte, 0, sealedHeaderSize+aead.NonceSize()+len(plain)+aead.Overhead())
	sealed = append(sealed, sealedMagic...)
	sealed = append(sealed, key.id...)
	sealed = append(sealed, ':')
	nonce := sealed[sealedHeaderSize : sealedHeaderSize+aead.NonceSize()]
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("sealing %s: %w", context, err)
	}
	return aead.Seal(sealed[:sealedHeaderSize+len(nonce)], nonce, plain, additionalData(sealed[:sealedHeaderSize], context)), nil
}

// open returns what was sealed, and whether it was sealed as it would be now;
// otherwise it should be sealed again. What is not sealed is returned as it is.
// The error wraps [ErrSealed] when the key is missing.
func (s *sealer) open(stored []byte, context string) (plain []byte, current bool, err error) {
	if !isSealed(stored) {
		return stored, len(s.keys) == 0, nil
	}
	if len(stored) < sealedHeaderSize || stored[sealedHeaderSize-1] != ':' {
		return nil, false, fmt.Errorf("%s: %w: restore it from a backup", context, errDamaged)
	}
	header := stored[:sealedHeaderSize]
	id := string(header[len(sealedMagic) : sealedHeaderSize-1])
	for i, key := range s.keys {
		if key.id != id {
			continue
		}
		aead := key.aead()
		rest := stored[sealedHeaderSize:]
		if len(rest) < aead.NonceSize()+aead.Overhead() {
			return nil, false, fmt.Errorf("%s: %w: restore it from a backup", context, errDamaged)
		}
		plain, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], additionalData(header, context))
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w: restore it from a backup", context, errDamaged)
		}
		return plain, i == 0, nil
	}
	if _, err := hex.DecodeString(id); err != nil {
		return nil, false, fmt.Errorf("%s: %w: restore it from a backup", context, errDamaged)
	}
	return nil, false, fmt.Errorf("%s: %w: add the key with the ID %s to encryption_key, after the newest", context, ErrSealed, id)
}

func isSealed(b []byte) bool { return bytes.HasPrefix(b, []byte(sealedMagic)) }

// additionalData is what a sealed document is tied to. The header has a fixed
// length, so that no two pairs look the same.
func additionalData(header []byte, context string) []byte {
	return append(bytes.Clone(header), context...)
}
