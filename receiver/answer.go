package receiver

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// answer is the application's view of the response. It notes the status, which
// decides what becomes of the claim.
type answer struct {
	http.ResponseWriter
	status   int // the final one; 0 until it is known
	informed bool
	hijacked bool
}

// succeeded tells whether the application took the event: it answered 2xx, or
// said nothing, which net/http sends as 200. An answer of informational
// statuses alone is not one, nor is a connection that was taken over.
func (a *answer) succeeded() bool {
	if a.status == 0 {
		return !a.informed && !a.hijacked
	}
	return a.status >= 200 && a.status < 300
}

// WriteHeader passes the status on. Informational ones (RFC 9110, section
// 15.2) come before the final one, except 101, after which HTTP is over.
func (a *answer) WriteHeader(status int) {
	switch {
	case status >= 100 && status < 200 && status != http.StatusSwitchingProtocols:
		a.informed = true
	case a.status == 0:
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write passes b on. Without a status before it, it means 200.
func (a *answer) Write(b []byte) (int, error) {
	a.implyOK()
	return a.ResponseWriter.Write(b)
}

// ReadFrom lets the underlying writer take the bytes its own way, such as
// sendfile, where it can.
func (a *answer) ReadFrom(src io.Reader) (int64, error) {
	a.implyOK()
	if dst, ok := a.ResponseWriter.(io.ReaderFrom); ok {
		return dst.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{a.ResponseWriter}, src)
}

// Flush sends what has been written so far, where that is supported.
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError is Flush with its error. Without a status before it, it means 200.
func (a *answer) FlushError() error {
	err := http.NewResponseController(a.ResponseWriter).Flush()
	if err == nil {
		a.implyOK()
	}
	return err
}

// Hijack takes the connection over, where that is supported.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil {
		a.hijacked = true
	}
	return conn, rw, err
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) implyOK() {
	if a.status == 0 {
		a.status = http.StatusOK
	}
}
