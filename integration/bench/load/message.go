package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// head is what matters of the first line and the headers of a request or an
// answer. The slices hold until the next one is read.
type head struct {
	path      []byte // of a request
	status    int    // of an answer
	length    int    // of the body
	id        []byte
	timestamp []byte
	signature []byte
	chunked   bool // the body comes in chunks, and length says nothing
	closes    bool // the connection ends with this one
}

// headReader reads heads. It keeps what it hands out in space of its own, since
// that of the reader underneath is overwritten.
type headReader struct {
	in   *bufio.Reader
	head head
}

var errMalformed = errors.New("malformed HTTP message")

// read reads up to the empty line. io.EOF means that there was nothing.
func (r *headReader) read(wanted bool) (*head, error) {
	r.head = head{path: r.head.path[:0], id: r.head.id[:0], timestamp: r.head.timestamp[:0], signature: r.head.signature[:0]}
	line, err := r.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	first, second, found := bytes.Cut(line, space)
	if !found {
		return nil, fmt.Errorf("%w: it begins with %q", errMalformed, line)
	}
	second, _, _ = bytes.Cut(bytes.TrimRight(second, "\r\n"), space)
	if bytes.HasPrefix(first, httpName) {
		status, ok := parseDecimal(second)
		if !ok {
			return nil, fmt.Errorf("%w: it begins with %q", errMalformed, line)
		}
		r.head.status = status
	} else {
		r.head.path = append(r.head.path, second...)
	}
	for {
		line, err := r.in.ReadSlice('\n')
		if err != nil {
			return nil, noEOF(err)
		}
		if len(line) <= 2 {
			return &r.head, nil
		}
		if err := r.header(line, wanted); err != nil {
			return nil, err
		}
	}
}

var (
	space    = []byte(" ")
	httpName = []byte("HTTP/")
)

// header takes one header. By the length of its name most are known not to
// matter.
func (r *headReader) header(line []byte, wanted bool) error {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return fmt.Errorf("%w: the header %q", errMalformed, line)
	}
	name, value := line[:colon], line[colon+1:]
	switch {
	case len(name) == len("Content-Length") && is(name, "content-length"):
		length, ok := parseDecimal(bytes.TrimSpace(value))
		if !ok {
			return fmt.Errorf("%w: the length %q", errMalformed, value)
		}
		r.head.length = length
	case len(name) == len("Transfer-Encoding") && is(name, "transfer-encoding"):
		// webhook-signature is as long.
		r.head.chunked = true
	case len(name) == len("Connection") && is(name, "connection"):
		// webhook-id is as long.
		r.head.closes = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
	case !wanted:
	case len(name) == len("webhook-id") && is(name, "webhook-id"):
		r.head.id = append(r.head.id, bytes.TrimSpace(value)...)
	case len(name) == len("webhook-timestamp") && is(name, "webhook-timestamp"):
		r.head.timestamp = append(r.head.timestamp, bytes.TrimSpace(value)...)
	case len(name) == len("webhook-signature") && is(name, "webhook-signature"):
		r.head.signature = append(r.head.signature, bytes.TrimSpace(value)...)
	}
	return nil
}

// discardBody reads past the body.
func (r *headReader) discardBody() error {
	if !r.head.chunked {
		_, err := r.in.Discard(r.head.length)
		return noEOF(err)
	}
	for {
		line, err := r.in.ReadSlice('\n')
		if err != nil {
			return noEOF(err)
		}
		size, ok := parseHex(bytes.TrimSpace(line))
		if !ok || size > 1<<30 {
			return fmt.Errorf("%w: the chunk %q", errMalformed, line)
		}
		if _, err := r.in.Discard(int(size) + len("\r\n")); err != nil {
			return noEOF(err)
		}
		if size == 0 {
			return nil
		}
	}
}

// is compares a name of the same length with one in lower case.
func is(name []byte, lower string) bool {
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
