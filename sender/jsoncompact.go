package sender

import "bytes"

// appendCompact appends a JSON value without the white space between its parts.
// The value must be valid: only where strings end is looked at.
func appendCompact(dst, value []byte) []byte {
	for len(value) > 0 {
		n := 1
		switch value[0] {
		case ' ', '\t', '\r', '\n':
			value = value[1:]
			continue
		case '"':
			n = stringLength(value)
		}
		dst = append(dst, value[:n]...)
		value = value[n:]
	}
	return dst
}

// stringLength is how many bytes the JSON string at the beginning of s has, with
// its quotes.
func stringLength(s []byte) int {
	for end := 1; ; {
		i := bytes.IndexByte(s[end:], '"')
		if i < 0 {
			return len(s)
		}
		end += i + 1
		inside := s[1 : end-1]
		if escapes := len(inside) - len(bytes.TrimRight(inside, `\`)); escapes%2 == 0 {
			return end
		}
	}
}
