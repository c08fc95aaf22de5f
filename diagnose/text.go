package diagnose

import (
	"strconv"
	"strings"
)

// maxShown is how much of a foreign text is shown, in bytes.
const maxShown = 200

// shown is a text from a request as it may be shown: without characters that a
// terminal acts upon, and not at any length.
func shown(s string) string {
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	quoted := strconv.Quote(s)
	if quoted == `"`+s+`"` {
		return s
	}
	return quoted
}
