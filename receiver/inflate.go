package receiver

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// The content codings (RFC 9110, section 8.4.1).
type coding int

const (
	codingNone coding = iota
	codingGzip
	codingDeflate
	codingUnknown
)

const headerContentEncoding = "Content-Encoding"

// codingOf is how the body of a request is coded. Several codings on top of
// each other count as unknown.
func codingOf(h http.Header) coding {
	values := h[headerContentEncoding]
	if len(values) == 0 {
		return codingNone
	}
	if len(values) > 1 {
		return codingUnknown
	}
	switch strings.ToLower(strings.TrimSpace(values[0])) {
	case "", "identity":
		return codingNone
	case "gzip", "x-gzip":
		return codingGzip
	case "deflate":
		return codingDeflate
	}
	return codingUnknown
}

// inflate reads what packed stands for into b, up to limit bytes. Nothing may
// follow the compressed data.
func (b *bodyBuffer) inflate(packed []byte, from coding, limit int64) *Refusal {
	src := bytes.NewReader(packed)
	body, done, err := unpack(src, from)
	if err != nil {
		return notInflated(err)
	}
	defer done()
	if refusal := b.read(body, limit); refusal != nil {
		if refusal.Reason == ReasonBodyUnreadable {
			return notInflated(refusal.Err)
		}
		return refusal
	}
	if src.Len() > 0 {
		return notInflated(errors.New("there is something behind the compressed data"))
	}
	return nil
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

// unpack is the reader of what src stands for, to be given back with done.
// Members of gzip that follow each other are read as one, as RFC 1952 has it,
// and anything else behind them is an error. Deflate is zlib's format by the
// book and the bare one by habit.
func unpack(src *bytes.Reader, from coding) (body io.Reader, done func(), err error) {
	if from == codingGzip {
		z := gzipReaders.Get().(*gzip.Reader)
		if err := z.Reset(src); err != nil {
			gzipReaders.Put(z)
			return nil, nil, err
		}
		return z, func() { gzipReaders.Put(z) }, nil
	}
	if isZlib(src) {
		z, err := zlib.NewReader(src)
		if err != nil {
			return nil, nil, err
		}
		return z, func() { _ = z.Close() }, nil
	}
	z := flate.NewReader(src)
	return z, func() { _ = z.Close() }, nil
}

// isZlib tells whether a zlib header comes next (RFC 1950, section 2.2).
func isZlib(src *bytes.Reader) bool {
	var head [2]byte
	if n, _ := src.ReadAt(head[:], 0); n < len(head) {
		return false
	}
	return head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0
}

func notInflated(err error) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Reason: ReasonBodyUnreadable, Err: fmt.Errorf("decompressing the body: %w", err)}
}

func unknownCoding() *Refusal {
	return &Refusal{Status: http.StatusUnsupportedMediaType, Reason: ReasonEncoding, Err: errors.New("the Content-Encoding is neither gzip nor deflate")}
}

// dropCoding makes the headers of r those of the decompressed body.
func dropCoding(r *http.Request, size int) {
	delete(r.Header, headerContentEncoding)
	if _, there := r.Header["Content-Length"]; there {
		r.Header["Content-Length"] = []string{strconv.Itoa(size)}
	}
}
