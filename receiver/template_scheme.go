package receiver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/manysends/caddy-webhooks/webhook"
)

// templateScheme checks the signatures of a [Template].
type templateScheme struct {
	*compiledTemplate
	ring keyRing
}

// newTemplateScheme reads the secrets for o.template. Errors about a secret
// wrap [webhook.ErrKey].
func newTemplateScheme(o schemeOptions) (scheme, error) {
	return o.compileWith(o.template)
}

// compileWith is the scheme of a template with the secrets and the key of o.
func (o schemeOptions) compileWith(t *Template) (*templateScheme, error) {
	if o.key != "" {
		keyed := *t
		keyed.Key = o.key
		t = &keyed
	}
	compiled, problems := t.compile()
	if len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	ring, err := newKeyRing(compiled.algorithm, compiled.key, compiled.encoding, o.secrets)
	if err != nil {
		return nil, err
	}
	return &templateScheme{compiledTemplate: compiled, ring: ring}, nil
}

// checking is what the check of one request needs.
type checking struct {
	doc        document
	signatures []string
	text       []byte // what is signed before and after the body
	lasting    []byte // the same without the time of sending
	cut        int    // where the part after the body starts in lasting
	beside     []byte // the values that are signed right before and behind the timestamp
	id         string // as it is signed
	timestamp  string
	hasID      bool
	hasTime    bool
	timeAt     int   // which of the timestamp's places has it
	timePart   *part // nil: it is not signed by itself
	timeFrom   int   // where it is in text
	timeTo     int   // and ends
}

var checkings = sync.Pool{New: func() any { return new(checking) }}

func (c *checking) free() {
	c.doc.close()
	clear(c.signatures)
	c.signatures, c.text, c.lasting = c.signatures[:0], c.text[:0], c.lasting[:0]
	c.id, c.hasID = "", false
	c.timestamp, c.hasTime, c.timeAt = "", false, 0
	c.timePart, c.beside = nil, c.beside[:0]
	if cap(c.text) <= keptBodyBuffer {
		checkings.Put(c)
	}
}

// verify implements [scheme].
func (s *templateScheme) verify(_ context.Context, in *inbound) (proof, error) {
	c := checkings.Get().(*checking)
	defer c.free()
	c.doc.open(&s.paths, in.body)

	if err := s.collectSignatures(c, in); err != nil {
		return proof{}, err
	}
	content, err := s.assemble(c, in)
	if err != nil {
		return proof{}, err
	}
	secret := s.ring.match(content, c.signatures)
	if secret < 0 {
		return proof{}, fmt.Errorf("%w: no signature in %s was made with a configured secret over this content", webhook.ErrSignatureMismatch, &s.signature[0])
	}

	// Only now is what the request says the sender's word.
	proven := proof{secret: secret, eventType: s.typeOf(c, in)}
	if !c.hasID {
		c.id, _, _ = s.id.one(in, &c.doc) // one that is ambiguous is none
	}
	proven.id = c.id
	err = s.checkTime(c, in, &proven)
	proven.content = s.digested(c, in)
	return proven, err
}

// collectSignatures finds the signatures to try.
func (s *templateScheme) collectSignatures(c *checking, in *inbound) error {
	for i := range s.signature {
		p := &s.signature[i]
		for text, err := range p.texts(in, &c.doc) {
			switch {
			case err != nil:
				return fmt.Errorf("%w: %s: %w", webhook.ErrSignatureMissing, p, err)
			case len(text) > maxPlaceText:
				return fmt.Errorf("%w: %s is longer than %d bytes", webhook.ErrSignatureMismatch, p, maxPlaceText)
			}
			for value := range p.items(text) {
				if len(c.signatures) == maxPlaceItems {
					return nil
				}
				c.signatures = append(c.signatures, value)
			}
		}
	}
	if len(c.signatures) == 0 {
		return fmt.Errorf("%w: there is none in %s", webhook.ErrSignatureMissing, &s.signature[0])
	}
	return nil
}

// assemble makes the signed content.
func (s *templateScheme) assemble(c *checking, in *inbound) (signedContent, error) {
	if s.algorithm.token {
		return signedContent{}, nil
	}
	for i := range s.before {
		if err := s.appendPart(c, in, &s.before[i]); err != nil {
			return signedContent{}, err
		}
	}
	cut := len(c.text)
	c.cut = len(c.lasting)
	for i := range s.after {
		if err := s.appendPart(c, in, &s.after[i]); err != nil {
			return signedContent{}, err
		}
	}
	content := signedContent{before: c.text[:cut], after: c.text[cut:]}
	if s.body {
		content.body = in.body
	}
	if s.format == formatAuto {
		c.noteBeside(content)
	}
	return content, nil
}

// noteBeside notes which bytes stand beside the timestamp, but for those that
// nobody can move.
func (c *checking) noteBeside(content signedContent) {
	if c.timePart == nil {
		return
	}
	before, behind := c.text[:c.timeFrom], c.text[c.timeTo:]
	if cut := len(content.before); c.timeTo <= cut {
		behind = slices.Concat(c.text[c.timeTo:cut], content.body[:min(1, len(content.body))], content.after)
	} else {
		before = slices.Concat(content.before, content.body[max(0, len(content.body)-1):], c.text[cut:c.timeFrom])
	}
	c.beside = c.beside[:0]
	if c.timePart.openFrom {
		c.beside = append(c.beside, before[max(0, len(before)-1):]...)
	}
	if c.timePart.openUntil {
		c.beside = append(c.beside, behind[:min(1, len(behind))]...)
	}
}

// appendPart appends a part of the signed content to c.text and c.lasting.
func (s *templateScheme) appendPart(c *checking, in *inbound, p *part) error {
	var value, what string
	var err error
	switch p.kind {
	case partLiteral:
		s.append(c, p, p.text)
		return nil
	case partBodySHA256:
		sum := sha256.Sum256(in.body)
		c.text = hex.AppendEncode(c.text, sum[:])
		return nil
	case partMethod:
		s.append(c, p, in.request.Method)
		return nil
	case partTimestamp:
		what = "the timestamp"
		value, err = s.findTime(c, in)
	case partID:
		what = "the ID"
		if !c.hasID {
			c.id, _, err = s.id.one(in, &c.doc)
			c.hasID = true
		}
		value = c.id
	case partURL:
		what = "the URL"
		value = in.address()
	case partPath:
		value = in.request.URL.EscapedPath()
	case partQuery:
		value = in.request.URL.RawQuery
	case partHeader:
		what = p.text
		value, err = single(in.request.Header[p.text])
	case partJSON:
		what = "the JSON member " + p.text
		found := c.doc.value(p.path)
		if value = found.text; found.ambiguous {
			err = errAmbiguous
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s, which is signed: %w", webhook.ErrSignatureMissing, what, err)
	case value == "" && what != "":
		return fmt.Errorf("%w: %s, which is signed, is not there", webhook.ErrSignatureMissing, what)
	case what != "" && p.kind != partTimestamp && p.kind != partURL && p.holdsLiteral(value):
		return fmt.Errorf("%w: %s holds what separates the parts of the signed content", webhook.ErrSignatureMismatch, what)
	}
	from := len(c.text)
	s.append(c, p, value)
	if p.kind == partTimestamp {
		c.timePart, c.timeFrom, c.timeTo = p, from, len(c.text)
	}
	return nil
}

func (s *templateScheme) append(c *checking, p *part, value string) {
	c.text = append(c.text, value...)
	if s.identified && !p.timed {
		c.lasting = append(c.lasting, value...)
	}
}

// findTime is the text of the timestamp.
func (s *templateScheme) findTime(c *checking, in *inbound) (string, error) {
	if c.hasTime {
		return c.timestamp, nil
	}
	var err error
	c.timestamp, c.timeAt, err = s.timestamp.one(in, &c.doc)
	c.hasTime = err == nil
	return c.timestamp, err
}

// checkTime reads the timestamp into proven and checks its age. It must be
// there: without it the age of a captured request would not count.
func (s *templateScheme) checkTime(c *checking, in *inbound, proven *proof) error {
	if len(s.timestamp) == 0 {
		return nil
	}
	text, err := s.findTime(c, in)
	if err != nil || text == "" {
		return fmt.Errorf("%w: there is not exactly one in %s", webhook.ErrTimestampMalformed, &s.timestamp[0])
	}
	at, err := parseTime(text, s.format)
	if err != nil {
		return err
	}
	if !s.zoneless && isZoneless(text) {
		return fmt.Errorf("%w: it names no zone, and its end cannot be told from what is signed behind it", webhook.ErrTimestampMalformed)
	}
	if bytes.ContainsAny(c.beside, "0123456789") && strings.Trim(text, "0123456789") == "" {
		return fmt.Errorf("%w: it may be seconds or milliseconds, and digits beside it could be part of it", webhook.ErrTimestampMalformed)
	}
	proven.timestamp = at
	return checkAge(at, in.now, in.tolerance)
}

// typeOf is the event type, or empty.
func (s *templateScheme) typeOf(c *checking, in *inbound) string {
	text, _, err := s.eventType.one(in, &c.doc)
	if err != nil || len(text) > maxTypeLength {
		return ""
	}
	return text
}

// digested is what is signed, in its order, except for the time of sending, and
// what else tells events apart. What a token vouches for is the body.
func (s *templateScheme) digested(c *checking, in *inbound) [2][]byte {
	var before, after []byte
	for i := range s.apart {
		value, err := s.apart[i].one(in, &c.doc)
		if err == nil {
			before = appendSized(before, value)
		}
	}
	if s.identified { // in copies, since c is used again
		before = append(before, c.lasting[:c.cut]...)
		after = append(after, c.lasting[c.cut:]...)
	}
	if !s.bodyCovered && !s.algorithm.token {
		return [2][]byte{before, after}
	}
	first, second := in.body[:0], in.body
	if c.hasTime && c.timeAt >= 0 && s.timestamp[c.timeAt].json != "" {
		at := c.doc.value(s.timestamp[c.timeAt].path)
		first, second = in.body[:at.start], in.body[at.end:]
	}
	if len(before) == 0 {
		before = first
	} else {
		before = append(before, first...)
	}
	if len(after) > 0 {
		second = slices.Concat(second, after)
	}
	return [2][]byte{before, second}
}
