package receiver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// contentfulScheme is x-contentful-signature: the hex of an HMAC-SHA256 over the
// method, the path, the headers that are named in x-contentful-signed-headers,
// and the body
// (contentful.com/developers/docs/webhooks/request-verification).
type contentfulScheme struct{ keys sharedKeys }

func newContentfulScheme(o schemeOptions) (scheme, error) {
	keys, err := newSharedKeys(o, "raw")
	if err != nil {
		return nil, err
	}
	return contentfulScheme{keys}, nil
}

const (
	headerContentful          = "X-Contentful-Signature"
	headerContentfulNames     = "X-Contentful-Signed-Headers"
	headerContentfulTimestamp = "X-Contentful-Timestamp"
)

func (s contentfulScheme) verify(_ context.Context, in *inbound) (proof, error) {
	text, err := oneHeader(in.request, headerContentful)
	if err != nil {
		return proof{}, err
	}
	list, err := oneHeader(in.request, headerContentfulNames)
	if err != nil {
		return proof{}, err
	}
	timestamp, err := oneHeader(in.request, headerContentfulTimestamp)
	if err != nil {
		return proof{}, err
	}
	signature, err := hex.DecodeString(text)
	if err != nil {
		return proof{}, fmt.Errorf("%w: %s is not hex", webhook.ErrSignatureMismatch, headerContentful)
	}
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || len(timestamp) != 13 {
		return proof{}, fmt.Errorf("%w: %s must be Unix milliseconds in 13 digits", webhook.ErrSignatureMismatch, headerContentfulTimestamp)
	}
	headers, err := contentfulHeaders(in, list)
	if err != nil {
		return proof{}, err
	}
	path, ok := contentfulPath(signedAddress(in))
	if !ok {
		return proof{}, fmt.Errorf("%w: the URL has a second question mark, which Contentful does not sign", webhook.ErrSignatureMismatch)
	}
	i := s.keys.match(sha256.New, signature, []byte(in.request.Method+"\n"+path+"\n"+headers+"\n"), in.body)
	if i < 0 {
		return proof{}, errUnsigned("this method, path, headers and body")
	}
	at := time.UnixMilli(ms)
	topic := source{header: "X-Contentful-Topic"}.of(in.request)
	return proof{secret: i, timestamp: at, content: [2][]byte{in.body}, eventType: topic}, checkAge(at, in.now, in.tolerance)
}

// contentfulHeaders are the headers as they are signed. The time and the list
// itself must be among them. Errors wrap [webhook.ErrSignatureMismatch].
func contentfulHeaders(in *inbound, list string) (string, error) {
	names := strings.Split(list, ",")
	if len(names) > maxComponents {
		return "", fmt.Errorf("%w: %s names more than %d headers", webhook.ErrSignatureMismatch, headerContentfulNames, maxComponents)
	}
	for i, name := range names {
		names[i] = strings.ToLower(strings.TrimSpace(name))
	}
	slices.Sort(names)
	for _, needed := range [...]string{headerContentfulNames, headerContentfulTimestamp} {
		if !slices.Contains(names, strings.ToLower(needed)) {
			return "", fmt.Errorf("%w: the signature does not cover %s", webhook.ErrSignatureMismatch, needed)
		}
	}
	var b strings.Builder
	for i, name := range slices.Compact(names) {
		values := in.request.Header[http.CanonicalHeaderKey(name)]
		if name == "host" {
			values = []string{in.request.Host}
		}
		if len(values) != 1 {
			return "", fmt.Errorf("%w: a header that the signature covers is not there exactly once", webhook.ErrSignatureMismatch)
		}
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(name + ":" + strings.TrimSpace(values[0]))
	}
	return b.String(), nil
}

// contentfulPath is the path and the query as they are signed: escaped as
// JavaScript's encodeURI does, the query as encodeURIComponent does before that.
func contentfulPath(address string) (path string, ok bool) {
	parts := splitAddress(address)
	path = parts.path
	if strings.Contains(parts.query, "?") {
		return "", false
	}
	if parts.query != "" {
		path += "?" + percentEncode(parts.query, "-_.!~*'()")
	}
	return percentEncode(path, "-_.!~*'();,/?:@&=+$#"), true
}
