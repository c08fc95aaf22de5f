package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"
)

// appendData appends an event's data as a JSON value: as it is, or the body that
// it is wrapped up in an object.
func appendData(dst []byte, e *Event) []byte {
	if e.ContentType == "" {
		return append(dst, e.Data...)
	}
	dst = append(dst, `{"content_type":`...)
	dst = appendString(dst, e.ContentType)
	encoding := e.Headers.Get("Content-Encoding")
	if encoding != "" {
		dst = append(dst, `,"content_encoding":`...)
		dst = appendString(dst, encoding)
	}
	if encoding == "" && utf8.Valid(e.Data) {
		dst = append(dst, `,"text":`...)
		return append(appendString(dst, string(e.Data)), '}')
	}
	dst = append(dst, `,"base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, e.Data)
	return append(dst, `"}`...)
}

// appendCloudEventsData appends the members about an event's data as CloudEvents
// has them (cloudevents/spec, formats/json-format.md, section 3.1). That of a
// compression is an extension.
func appendCloudEventsData(dst []byte, e *Event) []byte {
	if e.ContentType == "" {
		dst = append(dst, `,"datacontenttype":"application/json","data":`...)
		return append(dst, e.Data...)
	}
	if encoding := e.Headers.Get("Content-Encoding"); encoding != "" {
		dst = append(dst, `,"contentencoding":`...)
		dst = appendString(dst, encoding)
	}
	dst = append(dst, `,"datacontenttype":`...)
	dst = appendString(dst, e.ContentType)
	dst = append(dst, `,"data_base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, e.Data)
	return append(dst, '"')
}

// appendString appends a text as JSON, without escapes for HTML.
func appendString(dst []byte, s string) []byte {
	b := bytes.NewBuffer(dst)
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string can be encoded, and a buffer be written to
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
