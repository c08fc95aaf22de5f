package load

import "strconv"

// Mark is what the ID of an event says: which run it belongs to, which one it
// is, and when it was to be sent.
type Mark struct {
	Run    uint16
	Number uint32 // counted from 0 in each run
	At     int64  // by Now
}

// markPrefix begins every ID.
const markPrefix = "bench-"

// MarkSize is the length of an ID.
const MarkSize = len(markPrefix) + 4 + 1 + 8 + 1 + 16

// put writes the ID into the first MarkSize bytes of dst.
func (m Mark) put(dst []byte) {
	at := copy(dst, markPrefix)
	at += putHex(dst[at:at+4], uint64(m.Run))
	dst[at] = '-'
	at++
	at += putHex(dst[at:at+8], uint64(m.Number))
	dst[at] = '-'
	at++
	putHex(dst[at:at+16], uint64(m.At))
}

// String is the ID.
func (m Mark) String() string {
	var id [MarkSize]byte
	m.put(id[:])
	return string(id[:])
}

// parseMark reads an ID.
func parseMark(id []byte) (m Mark, ok bool) {
	if len(id) != MarkSize || string(id[:len(markPrefix)]) != markPrefix {
		return Mark{}, false
	}
	rest := id[len(markPrefix):]
	run, ok1 := parseHex(rest[:4])
	number, ok2 := parseHex(rest[5:13])
	at, ok3 := parseHex(rest[14:])
	if !ok1 || !ok2 || !ok3 || rest[4] != '-' || rest[13] != '-' {
		return Mark{}, false
	}
	return Mark{Run: uint16(run), Number: uint32(number), At: int64(at)}, true
}

const hexDigits = "0123456789abcdef"

// putHex fills dst with the last digits of a number, and returns how many.
func putHex(dst []byte, v uint64) int {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = hexDigits[v&15]
		v >>= 4
	}
	return len(dst)
}

// putDecimal fills dst with the last decimal digits of a number.
func putDecimal(dst []byte, v int64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
}

func parseHex(digits []byte) (v uint64, ok bool) {
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// parseDecimal reads a number without a sign.
func parseDecimal(digits []byte) (int, bool) {
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	n, err := strconv.Atoi(string(digits))
	return n, err == nil && n >= 0
}
