package receiver

import (
	"crypto/sha256"
	"encoding/binary"
)

// Key stands for one event, or for the source of a limit: the first half of a
// SHA-256, the same after a restart and on every machine. What it was made of
// cannot be read from it.
type Key [16]byte

type key = Key

// keyMaker makes the keys of one scope and provider.
type keyMaker struct{ prefix []byte }

func newKeyMaker(scope, provider string) keyMaker {
	return keyMaker{appendSized(appendSized(nil, scope), provider)}
}

// appendSized appends s with its length before it, so that no two lists of
// strings read the same.
func appendSized(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(len(s))), s...)
}

// ofID is the key of an event ID.
func (m keyMaker) ofID(id string) key {
	var room [256]byte
	text := append(room[:0], m.prefix...)
	text = appendSized(text, string(claimID))
	text = appendSized(text, id)
	sum := sha256.Sum256(text)
	return key(sum[:len(key{})])
}

// ofContent is the key of signed content, given in pieces.
func (m keyMaker) ofContent(pieces ...[]byte) key {
	size := 0
	for _, piece := range pieces {
		size += len(piece)
	}
	var room [256]byte
	text := append(room[:0], m.prefix...)
	text = appendSized(text, string(claimContent))
	text = binary.BigEndian.AppendUint64(text, uint64(size))
	h := sha256.New()
	h.Write(text)
	for _, piece := range pieces {
		h.Write(piece)
	}
	return key(h.Sum(text[:0])[:len(key{})])
}

// ofSource is the key of a source of the limit of that index.
func (m keyMaker) ofSource(k sourceKey) Key {
	text := appendSized(append([]byte(nil), m.prefix...), limitByRate)
	text = binary.BigEndian.AppendUint64(text, uint64(k.index))
	text = appendSized(text, k.source)
	sum := sha256.Sum256(text)
	return Key(sum[:len(Key{})])
}

// hashes are the two halves of a key as ristretto wants them. It takes a
// second half of 0 to mean that there is none to compare.
func hashes(k []byte) (uint64, uint64) {
	return binary.LittleEndian.Uint64(k), max(1, binary.LittleEndian.Uint64(k[8:]))
}
