package receiver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// bodyBuffer is where a body is read while it is not yet known whether the
// request is any good. The application gets a copy, never this memory: a
// transport may go on reading a request body after its handler has returned,
// so memory that the application has seen cannot be used again.
type bodyBuffer struct{ bytes []byte }

const (
	firstBodyBuffer = 4 << 10

	// keptBodyBuffer is the largest buffer that is kept for later requests.
	keptBodyBuffer = 64 << 10
)

var bodyBuffers = sync.Pool{New: func() any {
	return &bodyBuffer{make([]byte, 0, firstBodyBuffer)}
}}

// free gives the buffer back. Its bytes must not be used any more.
func (b *bodyBuffer) free() {
	if cap(b.bytes) <= keptBodyBuffer {
		bodyBuffers.Put(b)
	}
}

// read reads all of body, which may have limit bytes. The buffer grows with
// what arrives, never with what was announced.
func (b *bodyBuffer) read(body io.Reader, limit int64) *Refusal {
	b.bytes = b.bytes[:0]
	if body == nil {
		return nil
	}
	for {
		if len(b.bytes) == cap(b.bytes) {
			b.bytes = append(b.bytes, 0)[:len(b.bytes)]
		}
		n, err := body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if int64(len(b.bytes)) > limit {
			return tooLarge(limit)
		}
		if err == io.EOF {
			return nil
		}
		if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return tooLarge(tooBig.Limit)
		}
		if err != nil {
			return &Refusal{Status: http.StatusBadRequest, Reason: ReasonBodyUnreadable, Err: fmt.Errorf("reading the body: %w", err)}
		}
	}
}

// tooLarge is the refusal of a body of more than limit bytes.
func tooLarge(limit int64) *Refusal {
	return &Refusal{Status: http.StatusRequestEntityTooLarge, Reason: ReasonTooLarge, Err: fmt.Errorf("the body is larger than max_size, %d bytes", limit)}
}

// wholeBody is a request body that is in memory already.
type wholeBody struct{ bytes.Reader }

// Close does nothing.
func (*wholeBody) Close() error { return nil }

// restoreBody gives r the exact bytes that were read from it. They are now of
// known length, however they were sent, and nothing comes behind them: no
// signature covers a trailer. The first reader is the caller's.
func restoreBody(r *http.Request, first *wholeBody, content []byte) {
	r.ContentLength = int64(len(content))
	r.TransferEncoding, r.Trailer = nil, nil
	if len(content) == 0 {
		r.Body = http.NoBody
		r.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
		return
	}
	first.Reset(content)
	r.Body = first
	r.GetBody = func() (io.ReadCloser, error) {
		again := new(wholeBody)
		again.Reset(content)
		return again, nil
	}
}
