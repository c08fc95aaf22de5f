// Package unread takes away what is left of the body of a request that is
// answered before all of it was read. A connection that a server closes with
// something left to read is reset, and then the client, which may not look for an
// answer before it has sent everything, never sees why it was refused.
// net/http does this itself only for connections that it means to keep. With HTTP/2
// the stream is reset behind the answer, and clients that are built on libcurl take
// that for an error, and an answer without a body for none.
package unread

import (
	"io"
	"math"
	"net/http"
	"strings"
)

// least is what is read in any case, in bytes: net/http does as much.
const least = 256 << 10

// Discard reads on to the end of a request's body, of which size bytes would have
// been taken, but no further than to twice that, or 256 KiB if that is more. Nothing
// of the answer may have been written yet. If the body has been begun, by reading
// from it, size of it counts as read.
//
// A client that waits to be asked for its body (RFC 9110, section 10.1.1) is not
// asked for it, unless it has been, when the body was begun: the connection is
// closed instead, or some servers would wait for the body before they answer. With
// HTTP/2 and later only the stream is.
func Discard(w http.ResponseWriter, r *http.Request, size int64, begun bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	if !begun && waits(r) {
		if r.ProtoMajor < 2 {
			w.Header().Set("Connection", "close")
		}
		return
	}
	left := min(size, math.MaxInt64/2-1)
	if !begun {
		left *= 2
	}
	// One byte more, to see the end: that of chunks is sent as well.
	_, _ = io.CopyN(io.Discard, r.Body, max(left, least)+1)
}

// waits tells whether a client waits to be asked for its body: the header is a list,
// and does not count in HTTP/1.0.
func waits(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return false
	}
	for expected := range strings.SplitSeq(r.Header.Get("Expect"), ",") {
		if strings.EqualFold(strings.TrimSpace(expected), "100-continue") {
			return true
		}
	}
	return false
}
