package stored

import (
	"encoding/binary"
	"errors"
	"net/http"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// The detail of an attempt is what nobody searches for: its timings, its peer
// and the headers. It is one blob: the version; the four timings as varints;
// the peer; the headers of the request and those of the answer. A text is its
// length and its bytes. Headers are the number of names, and for each a number
// that stands for the name (0: the name follows), the number of its values, and
// these. All numbers but the timings are unsigned varints.

// detailVersion begins a detail.
const detailVersion = 1

// ErrDetail means that the detail of an attempt cannot be read.
var ErrDetail = errors.New("the detail of an attempt is damaged")

// ErrHeaders means that the headers of an event, which are written as those of an
// attempt, cannot be read.
var ErrHeaders = errors.New("the headers of an event are damaged")

// headerNames are the names that have numbers, from 1. Others may be added at
// the end; none may be moved.
var headerNames = [...]string{
	"Content-Type", "User-Agent", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature", "Traceparent",
	"Authorization", "Content-Length", "Date", "Server", "Connection", "Cache-Control", "Vary", "Set-Cookie",
	"X-Request-Id", "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "X-Xss-Protection",
	"Referrer-Policy", "Content-Security-Policy", "Access-Control-Allow-Origin", "Alt-Svc", "Etag", "Via",
	"X-Powered-By", "X-Runtime", "Retry-After", "Location", "Content-Encoding", "Transfer-Encoding", "Keep-Alive",
	"Age", "Expires", "Pragma", "Last-Modified", "Cf-Ray", "Cf-Cache-Status", "Nel", "Report-To", "Server-Timing",
	"X-Cache", "X-Amzn-Requestid", "X-Amzn-Trace-Id", "X-Amz-Cf-Id", "X-Amz-Cf-Pop", "X-Served-By", "Allow",
}

var headerNumbers = func() map[string]uint64 {
	numbers := make(map[string]uint64, len(headerNames))
	for i, name := range headerNames {
		numbers[name] = uint64(i + 1)
	}
	return numbers
}()

// HasDetail tells whether there is anything to write.
func HasDetail(a *sender.Attempt) bool {
	return a.Timings != (sender.Timings{}) || a.RemoteAddr != "" || len(a.RequestHeaders) > 0 || len(a.ResponseHeaders) > 0
}

// AppendDetail writes the detail of an attempt.
func AppendDetail(b []byte, a *sender.Attempt) []byte {
	b = append(b, detailVersion)
	for _, part := range [...]webhook.Duration{a.Timings.DNS, a.Timings.Connect, a.Timings.TLS, a.Timings.FirstByte} {
		b = binary.AppendVarint(b, int64(part))
	}
	b = appendString(b, a.RemoteAddr)
	b = AppendHeaders(b, a.RequestHeaders)
	return AppendHeaders(b, a.ResponseHeaders)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendHeaders writes headers; [DecodeHeaders] reads them.
func AppendHeaders(b []byte, headers http.Header) []byte {
	b = binary.AppendUvarint(b, uint64(len(headers)))
	for name, values := range headers {
		number := headerNumbers[name]
		b = binary.AppendUvarint(b, number)
		if number == 0 {
			b = appendString(b, name)
		}
		b = binary.AppendUvarint(b, uint64(len(values)))
		for _, value := range values {
			b = appendString(b, value)
		}
	}
	return b
}

// DecodeDetail fills in an attempt from its detail; without the headers when
// brief is set. An empty detail says nothing.
func DecodeDetail(a *sender.Attempt, detail []byte, brief bool) error {
	if len(detail) == 0 {
		return nil
	}
	if detail[0] != detailVersion {
		return ErrDetail
	}
	d := detailDecoder{rest: detail[1:]}
	var timings [4]webhook.Duration
	for i := range timings {
		timings[i] = webhook.Duration(d.varint())
	}
	a.Timings = sender.Timings{DNS: timings[0], Connect: timings[1], TLS: timings[2], FirstByte: timings[3]}
	a.RemoteAddr = d.text()
	if !brief {
		a.RequestHeaders = d.headers()
		a.ResponseHeaders = d.headers()
		d.damaged = d.damaged || len(d.rest) > 0
	}
	if d.damaged {
		return ErrDetail
	}
	return nil
}

// DecodeHeaders reads what [AppendHeaders] has written; nil when there are none.
// The error is [ErrHeaders].
func DecodeHeaders(headers []byte) (http.Header, error) {
	if len(headers) == 0 {
		return nil, nil
	}
	d := detailDecoder{rest: headers}
	decoded := d.headers()
	if d.damaged || len(d.rest) > 0 {
		return nil, ErrHeaders
	}
	return decoded, nil
}

// detailDecoder takes a detail apart. Once something is damaged, all is.
type detailDecoder struct {
	rest    []byte
	damaged bool
}

func (d *detailDecoder) varint() int64 {
	n, size := binary.Varint(d.rest)
	if !d.skip(size) {
		return 0
	}
	return n
}

func (d *detailDecoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if !d.skip(size) {
		return 0
	}
	return n
}

// skip goes on after a number of that size. It reports whether there is one.
func (d *detailDecoder) skip(size int) bool {
	if size <= 0 {
		d.damaged = true
	}
	if d.damaged {
		return false
	}
	d.rest = d.rest[size:]
	return true
}

// count reads how many things follow, each of which takes a byte at least.
func (d *detailDecoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.damaged = true
		return 0
	}
	return int(n)
}

func (d *detailDecoder) text() string {
	n := d.count()
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

// headers reads headers; nil when there are none.
func (d *detailDecoder) headers() http.Header {
	n := d.count()
	if n == 0 || d.damaged {
		return nil
	}
	headers := make(http.Header, min(n, len(headerNames)))
	for range n {
		name := d.name()
		values := make([]string, d.count())
		for i := range values {
			values[i] = d.text()
		}
		if _, twice := headers[name]; twice || d.damaged {
			d.damaged = true
			return nil
		}
		headers[name] = values
	}
	return headers
}

// name reads the name of a header.
func (d *detailDecoder) name() string {
	switch n := d.uvarint(); {
	case n == 0:
		return d.text()
	case n <= uint64(len(headerNames)):
		return headerNames[n-1]
	}
	d.damaged = true
	return ""
}
