package webhook

import "strings"

// EventTypeOf makes an event type of the name that somebody else has for it,
// such as "orders/create" or "PAYMENT.CAPTURE.COMPLETED": letters become small,
// "/", ":", spaces and tabs become dots, whatever else a type cannot hold becomes
// "_", and empty words and what is too long are left out. It is empty when
// nothing is left.
func EventTypeOf(name string) string {
	b := make([]byte, 0, min(len(name), maxEventTypeLength))
	for _, r := range name {
		c := byte('_')
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '.':
			c = byte(r)
		case 'A' <= r && r <= 'Z':
			c = byte(r) - 'A' + 'a'
		case r == '/', r == ':', r == ' ', r == '\t':
			c = '.'
		}
		if c == '.' && (len(b) == 0 || b[len(b)-1] == '.') {
			continue
		}
		if len(b) == maxEventTypeLength {
			break
		}
		b = append(b, c)
	}
	return strings.TrimRight(string(b), ".")
}
