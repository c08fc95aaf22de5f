package receiver

import (
	"bytes"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxTypeScan is how far into a body the event type is looked for.
	maxTypeScan = 1 << 20

	// maxTypeLength is how long an event type may be; a longer one is none.
	maxTypeLength = 128
)

// typeReader is what [typeOf] needs besides the body.
type typeReader struct {
	src bytes.Reader
	dec jsontext.Decoder
}

var typeReaders = sync.Pool{New: func() any { return new(typeReader) }}

// typeOf is the string of the first top-level member of that name, or empty:
// a body that is not a JSON object just has no type, and what comes after the
// member is not looked at.
func typeOf(body []byte, member string) string {
	if member == "" || !mayHold(body, member) {
		return ""
	}
	t := typeReaders.Get().(*typeReader)
	defer typeReaders.Put(t)
	t.src.Reset(body[:min(len(body), maxTypeScan)])
	defer t.src.Reset(nil)
	t.dec.Reset(&t.src, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

	if open, err := t.dec.ReadToken(); err != nil || open.Kind() != jsontext.KindBeginObject {
		return ""
	}
	for {
		name, err := t.dec.ReadToken()
		if err != nil || name.Kind() != jsontext.KindString {
			return ""
		}
		if name.String() != member {
			if t.dec.SkipValue() != nil {
				return ""
			}
			continue
		}
		value, err := t.dec.ReadToken()
		if err != nil || value.Kind() != jsontext.KindString {
			return ""
		}
		text := value.String()
		if len(text) > maxTypeLength {
			return ""
		}
		return text
	}
}

// mayHold tells whether a member of that name, which is made of letters and
// underscores, may be in a body. Only these escapes can stand for them.
func mayHold(body []byte, name string) bool {
	return bytes.Contains(body, []byte(name)) || bytes.Contains(body, []byte(`\u`))
}
