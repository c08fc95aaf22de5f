package settings

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/internal/jsonkind"
	"github.com/manysends/caddy-webhooks/internal/unread"
)

// maxBody is how large a body may be, in bytes.
const maxBody = 64 << 10

// member is one member of a body.
type member struct {
	name  string
	value jsontext.Value
}

// fields are the members that a body may have, with what reads each.
type fields map[string]func(jsontext.Value) error

// read reads the body into the fields. Where a body is not required, an empty
// one has no members.
func (c *call) read(known fields, required bool) error {
	members, err := c.members(required)
	if err != nil {
		return err
	}
	return known.apply(members, nil)
}

// apply has each member read. Refused are members that cannot be set here, with
// what to do instead.
func (f fields) apply(members []member, refused map[string]string) error {
	for _, m := range members {
		read := f[m.name]
		if read == nil {
			if instead := refused[m.name]; instead != "" {
				return wrong(m.name, "%s", instead)
			}
			return f.unknown(m.name)
		}
		if err := read(m.value); err != nil {
			return wrong(m.name, "%s", err)
		}
	}
	return nil
}

// unknown refuses a member, so that a misspelt one is not silently lost.
func (f fields) unknown(name string) error {
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "…"
	}
	if len(f) == 0 {
		return wrong(name, "the member is unknown: send no body here, or {}")
	}
	return wrong(name, "the member is unknown: there are %s", strings.Join(slices.Sorted(maps.Keys(f)), ", "))
}

// members reads the body, which must be one JSON object: valid UTF-8 without
// duplicate names (RFC 7493).
func (c *call) members(required bool) ([]member, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		if required {
			return nil, malformed("the body is empty: send a JSON object")
		}
		return nil, nil
	}
	if err := checkContentType(c.r); err != nil {
		return nil, err
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	if kind := d.PeekKind(); kind != '{' && kind != 0 {
		return nil, malformed("the body is a JSON %s: send a JSON object", jsonkind.Name(kind))
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, notJSON(err)
	}
	var members []member
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, notJSON(err)
		}
		m := member{name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return nil, notJSON(err)
		}
		m.value = value.Clone()
		members = append(members, m)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, malformed("something follows the JSON object: send one object and nothing else")
	}
	return members, nil
}

// body reads the whole body, within the limit.
func (c *call) body() ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	if err != nil {
		return nil, malformed("the body broke off: send it again, whole")
	}
	if len(body) > maxBody {
		unread.Discard(c.w, c.r, maxBody, true)
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, detail: "the body is larger than 64 KiB: send less"}
	}
	return body, nil
}

// checkContentType accepts JSON alone: a form of another page cannot say that
// it is that.
func checkContentType(r *http.Request) error {
	unsupported := func(detail string) error {
		return &refusal{status: http.StatusUnsupportedMediaType, detail: detail}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return unsupported("the content encoding is not understood: send the body uncompressed")
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch charset := params["charset"]; {
	case err == nil && charset != "" && !strings.EqualFold(charset, "utf-8"):
		return unsupported("the charset is not understood: send UTF-8")
	case err == nil && media == "application/json":
		return nil
	case err == nil && media == "application/merge-patch+json" && r.Method == http.MethodPatch: // RFC 7396, section 4
		return nil
	}
	return unsupported("the content type is not understood: send a body as application/json")
}

// notJSON explains a syntax error in the words of people who send JSON.
func notJSON(err error) *refusal {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return malformed("a member name stands twice in the same object: remove one")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return malformed("the body is not valid JSON: it ends too early")
	case errors.As(err, &syntax):
		return malformed("the body is not valid JSON: %s (at byte %d)", strings.TrimPrefix(syntax.Err.Error(), "jsontext: "), syntax.ByteOffset)
	}
	return malformed("the body is not valid JSON")
}
