package diagnose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// ErrRequest is wrapped by the errors of [ParseRequest].
var ErrRequest = errors.New("not an HTTP request")

// Request is a request that was captured as text.
type Request struct {
	// Method and Target are those of the request line, or of the pseudo-headers
	// of HTTP/2. Without either, Method is POST and Target is "/".
	Method string
	Target string

	// Host is that of the header Host or of the pseudo-header :authority; it may
	// be empty.
	Host string

	// Scheme is that of the target or of the pseudo-header :scheme; it may be
	// empty.
	Scheme string

	// Header are the fields with the canonical names of net/http. Host is not
	// among them.
	Header http.Header

	// Body are the bytes behind the blank line, exactly, but for the chunks that
	// "Transfer-Encoding: chunked" puts them into.
	Body []byte
}

// Bounds of a captured request, in bytes.
const (
	maxCaptured     = 4 << 20
	maxHeaderFields = 500
)

// ParseRequest reads a request that was captured as text: an HTTP/1.1 message
// as it was on the wire or was pasted, with or without its request line, with
// line breaks of either kind. It also takes what curl -v shows ("> " before
// each line), and the pseudo-headers of HTTP/2. Names of headers may be in any
// case. Errors wrap [ErrRequest].
func ParseRequest(text []byte) (*Request, error) {
	if len(text) > maxCaptured {
		return nil, fmt.Errorf("%w: it is larger than %d bytes: cut it down to one request", ErrRequest, maxCaptured)
	}
	r := &Request{Method: http.MethodPost, Target: "/", Header: make(http.Header)}
	p := capture{rest: bytes.TrimPrefix(text, byteOrderMark), request: r}
	if err := p.readHead(); err != nil {
		return nil, err
	}
	r.Body = p.rest
	if p.verbose {
		r.Body = withoutCurl(p.rest)
	}
	r.finish()
	return r, nil
}

// HTTP is the request as net/http has it in a server.
func (r *Request) HTTP() (*http.Request, error) {
	u, err := url.ParseRequestURI(r.Target)
	if err != nil {
		return nil, fmt.Errorf("%w: its target %s is no path or URL", ErrRequest, shown(r.Target))
	}
	made := &http.Request{
		Method: r.Method, URL: u, Host: r.Host, Header: r.Header.Clone(), RequestURI: r.Target,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(r.Body)), ContentLength: int64(len(r.Body)),
	}
	return made, nil
}

// capture is a request that is being read.
type capture struct {
	rest    []byte
	request *Request
	fields  int
	started bool   // a line of it was there
	verbose bool   // it is what curl -v shows
	last    string // the header that was read last
}

// line takes the next line, without its end.
func (p *capture) line() (line string, ok bool) {
	if len(p.rest) == 0 {
		return "", false
	}
	before, after, _ := bytes.Cut(p.rest, []byte("\n"))
	p.rest = after
	return string(bytes.TrimSuffix(before, []byte("\r"))), true
}

// readHead reads up to the blank line.
func (p *capture) readHead() error {
	for n := 1; ; n++ {
		line, ok := p.line()
		if !ok {
			break
		}
		if line == ">" || strings.HasPrefix(line, "> ") {
			p.verbose = true
			line = strings.TrimPrefix(line[1:], " ")
		} else if p.isNoise(line) {
			continue
		}
		if strings.TrimSpace(line) == "" {
			if !p.started {
				continue
			}
			return nil
		}
		if err := p.readLine(line, n); err != nil {
			return err
		}
		p.started = true
	}
	if p.fields == 0 {
		return fmt.Errorf("%w: it has no headers: paste the request with its headers, a blank line, and the body", ErrRequest)
	}
	return nil
}

// isNoise tells whether a line is one that curl -v shows of something else.
func (p *capture) isNoise(line string) bool {
	return strings.HasPrefix(line, "* ") || line == "*" ||
		(p.verbose || !p.started) && (strings.HasPrefix(line, "< ") || strings.HasPrefix(line, "{ [") || strings.HasPrefix(line, "} ["))
}

// readLine reads a line of the head.
func (p *capture) readLine(line string, number int) error {
	if !p.started && p.readRequestLine(line) {
		return nil
	}
	indented := line[0] == ' ' || line[0] == '\t'
	trimmed := strings.TrimSpace(line)
	name, value, ok := strings.Cut(strings.TrimPrefix(trimmed, ":"), ":")
	switch {
	case ok && isToken(name):
	case indented && p.last != "":
		// A field that goes on in the next line: RFC 9112, section 5.2.
		values := p.request.Header[p.last]
		values[len(values)-1] += " " + trimmed
		return nil
	case !p.started: // it may be something else altogether, such as a secret
		return fmt.Errorf("%w: line %d is neither a request line nor a header: paste the whole request, with its headers before the body", ErrRequest, number)
	default:
		return fmt.Errorf("%w: line %d is neither a request line nor a header: %s: paste the whole request, with its headers before the body", ErrRequest, number, shown(trimmed))
	}
	if p.fields++; p.fields > maxHeaderFields {
		return fmt.Errorf("%w: it has more than %d headers", ErrRequest, maxHeaderFields)
	}
	value = strings.TrimSpace(value)
	if trimmed[0] == ':' {
		return p.readPseudo(name, value, number)
	}
	if strings.EqualFold(name, "Host") {
		p.request.Host = value
		return nil
	}
	p.last = http.CanonicalHeaderKey(name)
	p.request.Header[p.last] = append(p.request.Header[p.last], value)
	return nil
}

// readRequestLine tells whether a line is a request line.
func (p *capture) readRequestLine(line string) bool {
	parts := strings.Fields(line)
	if len(parts) < 2 || len(parts) > 3 || !isToken(parts[0]) || parts[0] != strings.ToUpper(parts[0]) {
		return false
	}
	if len(parts) == 3 && !strings.HasPrefix(parts[2], "HTTP/") {
		return false
	}
	if !strings.HasPrefix(parts[1], "/") && !strings.Contains(parts[1], "://") {
		return false
	}
	p.request.Method, p.request.Target = parts[0], parts[1]
	return true
}

// readPseudo reads a pseudo-header of HTTP/2: RFC 9113, section 8.3.1.
func (p *capture) readPseudo(name, value string, number int) error {
	switch name {
	case "method":
		p.request.Method = value
	case "path":
		p.request.Target = value
	case "authority":
		p.request.Host = value
	case "scheme":
		p.request.Scheme = value
	default:
		return fmt.Errorf("%w: line %d has the pseudo-header :%s, which no request has", ErrRequest, number, shown(name))
	}
	return nil
}

// isToken tells whether a text is a token: RFC 9110, section 5.6.2.
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	}) < 0
}

// withoutCurl takes the lines away that curl -v shows behind a request.
func withoutCurl(rest []byte) []byte {
	for _, mark := range []string{"* ", "< ", "{ [", "} ["} {
		if bytes.HasPrefix(rest, []byte(mark)) {
			return nil
		}
		if i := bytes.Index(rest, []byte("\n"+mark)); i >= 0 {
			rest = rest[:i]
		}
	}
	return rest
}

// finish takes the target apart, and the body out of its chunks.
func (r *Request) finish() {
	if scheme, rest, ok := strings.Cut(r.Target, "://"); ok {
		host, path, slash := strings.Cut(rest, "/")
		r.Scheme = scheme
		if r.Host == "" {
			r.Host = host
		}
		r.Target = "/"
		if slash {
			r.Target += path
		}
	}
	if strings.EqualFold(r.Header.Get("Transfer-Encoding"), "chunked") {
		reader := bytes.NewReader(r.Body)
		// What is not in chunks has been taken out of them already.
		if body, err := io.ReadAll(httputil.NewChunkedReader(reader)); err == nil && len(bytes.TrimSpace(r.Body[len(r.Body)-reader.Len():])) == 0 {
			r.Body = body
		}
	}
}
