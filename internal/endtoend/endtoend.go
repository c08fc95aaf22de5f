// Package endtoend sees to it that header fields which a server sets reach the
// server behind the next proxy. Fields that a request names in Connection are for
// the next hop only (RFC 9110, section 7.6.1), so a client could have them removed.
package endtoend

import (
	"net/http"
	"strings"
)

// Keep takes the fields for which ours is true out of Connection.
func Keep(h http.Header, ours func(name string) bool) {
	lines := h["Connection"]
	if len(lines) == 0 {
		return
	}
	var options []string
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			if option = strings.TrimSpace(option); option != "" && !ours(option) {
				options = append(options, option)
			}
		}
	}
	if len(options) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(options, ", ")}
}
