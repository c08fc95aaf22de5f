package receiver

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what a provider signs with is not ours to choose
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/manysends/caddy-webhooks/webhook"
)

// algorithm is a way to sign.
type algorithm struct {
	newHash func() hash.Hash // of an HMAC
	size    int              // of its sums
	public  publicKeyReader  // of public keys
	token   bool             // nothing is signed: the secret itself is sent
	keys    []string         // how keys may be written, the default first
}

var hmacKeys = []string{keyRaw, keyHex, keyBase64, keyWhsec, keySHA256}

var algorithms = map[string]algorithm{
	algorithmHMACSHA1:   {newHash: sha1.New, size: sha1.Size, keys: hmacKeys},
	algorithmHMACSHA256: {newHash: sha256.New, size: sha256.Size, keys: hmacKeys},
	algorithmHMACSHA384: {newHash: sha512.New384, size: sha512.Size384, keys: hmacKeys},
	algorithmHMACSHA512: {newHash: sha512.New, size: sha512.Size, keys: hmacKeys},
	algorithmEd25519:    {public: readEd25519, keys: []string{keyHex, keyBase64, keySPKI}},
	algorithmECDSA:      {public: readECDSA, keys: []string{keySPKI}},
	algorithmRSA:        {public: readRSA, keys: []string{keySPKI}},
	algorithmToken:      {token: true, keys: []string{keyRaw}},
}

func algorithmNames() []string { return slices.Sorted(maps.Keys(algorithms)) }

// keyRing is the secrets of a template, read for its algorithm. It is safe for
// concurrent use.
type keyRing interface {
	// match is the index of the first secret that any of the signatures was
	// made with; -1: none was.
	match(content signedContent, signatures []string) int
}

// signedContent is what is signed, in three pieces.
type signedContent struct{ before, body, after []byte }

// newKeyRing reads secrets. Errors wrap [webhook.ErrKey] and never hold one.
func newKeyRing(a algorithm, key, encoding string, secrets []string) (keyRing, error) {
	switch {
	case a.token:
		ring := make(tokenRing, len(secrets))
		for i, s := range secrets {
			ring[i] = sha256.Sum256([]byte(s))
		}
		return ring, nil
	case a.public != nil:
		ring := publicRing{encoding: encoding, keys: make([]publicKey, len(secrets))}
		for i, s := range secrets {
			var err error
			if ring.keys[i], err = a.public(s, key); err != nil {
				return nil, err
			}
		}
		return ring, nil
	}
	ring := &hmacRing{encoding: encoding, size: a.size, macs: make([]sync.Pool, len(secrets))}
	for i, s := range secrets {
		bytes, err := readKey(s, key)
		if err != nil {
			return nil, err
		}
		ring.macs[i].New = func() any { return &macState{hash: hmac.New(a.newHash, bytes)} }
	}
	return ring, nil
}

// readKey reads the secret of an HMAC.
func readKey(s, key string) ([]byte, error) {
	var read []byte
	var err error
	switch key {
	case keyHex:
		if read, err = hex.DecodeString(s); err != nil {
			return nil, fmt.Errorf("%w: it must be hex, in pairs of the digits 0 to 9 and a to f", webhook.ErrKey)
		}
	case keyBase64, keyWhsec:
		if key == keyWhsec {
			s = strings.TrimPrefix(strings.TrimPrefix(s, "v1,"), "whsec_")
		}
		if read, err = decodeBase64(base64.RawStdEncoding, s); err != nil {
			return nil, fmt.Errorf("%w: it must be base64 in the standard alphabet; if the provider takes the text as it is, set key raw", webhook.ErrKey)
		}
	case keySHA256:
		sum := sha256.Sum256([]byte(s))
		read = sum[:]
	default:
		read = []byte(s)
	}
	if len(read) == 0 {
		return nil, fmt.Errorf("%w: it is empty once decoded, which would let anyone in", webhook.ErrKey)
	}
	return read, nil
}

// decodeBase64 decodes base64 with or without padding. Line breaks, which
// encoding/base64 skips, are refused, so that a key reads the same everywhere.
func decodeBase64(unpadded *base64.Encoding, s string) ([]byte, error) {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return nil, base64.CorruptInputError(i)
	}
	return unpadded.DecodeString(strings.TrimRight(s, "="))
}

// appendDecoded appends what a signature is in bytes, or reports that it is
// not written in this encoding. Line breaks, which encoding/base64 skips, belong
// to none.
func appendDecoded(dst []byte, encoding, signature string) ([]byte, bool) {
	if strings.ContainsAny(signature, "\r\n") {
		return dst, false
	}
	var err error
	switch encoding {
	case encodingHex:
		dst, err = hex.AppendDecode(dst, []byte(signature))
	case encodingBase64:
		dst, err = base64.RawStdEncoding.Strict().AppendDecode(dst, []byte(strings.TrimRight(signature, "=")))
	default:
		dst, err = base64.RawURLEncoding.Strict().AppendDecode(dst, []byte(strings.TrimRight(signature, "=")))
	}
	return dst, err == nil
}

// hmacRing are shared secrets. For each secret the sum is made once, however
// many signatures there are.
type hmacRing struct {
	encoding string
	size     int
	macs     []sync.Pool // of *macState; a reset HMAC keeps its key schedule
}

// macState is an HMAC with the scratch space of one comparison.
type macState struct {
	hash    hash.Hash
	sum     [sha512.Size]byte
	text    []byte
	decoded []byte
}

func (r *hmacRing) match(content signedContent, signatures []string) int {
	for i := range r.macs {
		m := r.macs[i].Get().(*macState)
		ok := m.matches(content, r.encoding, signatures)
		r.macs[i].Put(m)
		if ok {
			return i
		}
	}
	return -1
}

func (m *macState) matches(content signedContent, encoding string, signatures []string) bool {
	m.hash.Reset()
	m.hash.Write(content.before)
	m.hash.Write(content.body)
	m.hash.Write(content.after)
	want := m.hash.Sum(m.sum[:0])
	for _, signature := range signatures {
		if len(signature) > maxMACText {
			continue
		}
		m.text = append(m.text[:0], signature...)
		var ok bool
		if m.decoded, ok = appendDecoded(m.decoded[:0], encoding, signature); ok && subtle.ConstantTimeCompare(want, m.decoded) == 1 {
			return true
		}
	}
	return false
}

// maxMACText is the longest a sum can be, SHA-512 in hex.
const maxMACText = 2 * sha512.Size

// tokenRing are the SHA-256 of secrets that are sent as they are, so that the
// comparison tells nothing of their lengths.
type tokenRing [][sha256.Size]byte

func (r tokenRing) match(_ signedContent, signatures []string) int {
	found := -1
	for _, signature := range signatures {
		sum := sha256.Sum256([]byte(signature))
		for i := range r {
			if subtle.ConstantTimeCompare(r[i][:], sum[:]) == 1 && found < 0 {
				found = i
			}
		}
	}
	return found
}

// publicRing are public keys.
type publicRing struct {
	encoding string
	keys     []publicKey
}

func (r publicRing) match(content signedContent, signatures []string) int {
	message := bytes.Join([][]byte{content.before, content.body, content.after}, nil)
	var decoded []byte
	for _, signature := range signatures {
		var ok bool
		if decoded, ok = appendDecoded(decoded[:0], r.encoding, signature); !ok {
			continue
		}
		for i, key := range r.keys {
			if key(message, decoded) {
				return i
			}
		}
	}
	return -1
}
