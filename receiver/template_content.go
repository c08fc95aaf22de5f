package receiver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// partKind says where a part of the signed content comes from.
type partKind int

const (
	partLiteral partKind = iota
	partBody
	partBodySHA256
	partTimestamp
	partID
	partMethod
	partURL
	partPath
	partQuery
	partHeader
	partJSON
)

// plainParts are the parts without a name behind them.
var plainParts = map[string]partKind{
	"body":        partBody,
	"body_sha256": partBodySHA256,
	"timestamp":   partTimestamp,
	"id":          partID,
	"method":      partMethod,
	"url":         partURL,
	"path":        partPath,
	"query":       partQuery,
}

// part is a piece of the signed content.
type part struct {
	kind partKind
	text string // the literal, the header in canonical form, or the JSON path
	path int    // of a JSON path: its index

	// from and until are the literals before and behind this part. They may not
	// be in its value: otherwise the same signed bytes could be cut into other
	// values.
	from, until string

	// openFrom and openUntil tell that bytes could be moved between this part and
	// the one before or behind it: it is neither a literal nor a digest.
	openFrom, openUntil bool

	// timed tells that this is the time of sending.
	timed bool
}

// parseContent reads [Template].Content. The second result says in one
// sentence what is wrong with it, or is empty.
func parseContent(s string) ([]part, string) {
	var parts []part
	var literal []byte
	flush := func() {
		if len(literal) > 0 {
			parts = append(parts, part{kind: partLiteral, text: string(literal)})
			literal = literal[:0]
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c != '{' && c != '}':
			literal = append(literal, c)
		case i+1 < len(s) && s[i+1] == c:
			literal = append(literal, c)
			i++
		case c == '}':
			return nil, fmt.Sprintf("closes a brace at position %d that was not opened: write }} for a brace that is signed", i+1)
		default:
			length := strings.IndexByte(s[i:], '}')
			if length < 0 {
				return nil, fmt.Sprintf("opens a brace at position %d that is not closed: write {body}, or {{ for a brace that is signed", i+1)
			}
			flush()
			p, problem := parsePart(s[i+1 : i+length])
			if problem != "" {
				return nil, problem
			}
			parts = append(parts, p)
			i += length
		}
	}
	flush()
	for i := range parts {
		if i+1 < len(parts) {
			parts[i].until, parts[i].openUntil = parts[i+1].beside()
		}
		if i > 0 {
			parts[i].from, parts[i].openFrom = parts[i-1].beside()
		}
	}
	return parts, ""
}

// beside is what a part means for its neighbors: the literal that it is, and
// whether bytes could be moved to it and from it.
func (p *part) beside() (literal string, open bool) {
	if p.kind == partLiteral {
		return p.text, false
	}
	return "", p.kind != partBodySHA256
}

func parsePart(name string) (part, string) {
	if kind, ok := plainParts[name]; ok {
		return part{kind: kind}, ""
	}
	if header, ok := strings.CutPrefix(name, "header."); ok && isHeaderName(header) {
		return part{kind: partHeader, text: http.CanonicalHeaderKey(header)}, ""
	}
	if path, ok := strings.CutPrefix(name, "json."); ok && isJSONPath(path) {
		return part{kind: partJSON, text: path}, ""
	}
	return part{}, fmt.Sprintf("holds {%s}, which is unknown: use {body}, {body_sha256}, {timestamp}, {id}, {method}, {url}, {path}, {query}, {header.Name} or {json.path}", name)
}

// has tells whether there is a part of that kind.
func has(parts []part, kind partKind) bool {
	for i := range parts {
		if parts[i].kind == kind {
			return true
		}
	}
	return false
}

// coversBody tells whether the parts sign the body.
func coversBody(parts []part) bool { return has(parts, partBody) || has(parts, partBodySHA256) }

// covers tells whether the parts sign the value at a place, under whatever
// name, so that it cannot be changed.
func covers(parts []part, p *place) bool {
	if p.json != "" && coversBody(parts) {
		return true
	}
	for i := range parts {
		if parts[i].names(p) && isDelimited(parts, i) {
			return true
		}
	}
	return false
}

// names tells whether the part is the text at a place, or holds it.
func (p *part) names(at *place) bool {
	switch p.kind {
	case partHeader:
		return len(at.headers) == 1 && at.headers[0] == p.text
	case partJSON:
		return at.json == p.text
	case partQuery:
		return at.query != ""
	}
	return false
}

// isDelimited tells whether both ends of a part are seen in the signed bytes:
// they are at the ends of these, beside a literal that it may not hold, or
// beside the timestamp, which has a fixed form. Otherwise bytes could be moved
// between it and its neighbor.
func isDelimited(parts []part, i int) bool {
	isBoundary := func(i int) bool {
		return i < 0 || i == len(parts) || parts[i].kind == partLiteral || parts[i].kind == partTimestamp
	}
	return isBoundary(i-1) && isBoundary(i+1)
}

// holdsLiteral tells whether a value holds a literal that stands beside it.
func (p *part) holdsLiteral(value string) bool {
	return p.from != "" && strings.Contains(value, p.from) || p.until != "" && strings.Contains(value, p.until)
}

// identifies tells whether the event may be known by a part.
func (p *part) identifies() bool {
	switch p.kind {
	case partLiteral, partBody, partBodySHA256, partMethod:
		return false
	}
	return !p.timed
}

// endsPlainly tells whether what is signed behind a timestamp cannot be taken
// for its fraction or zone.
func endsPlainly(parts []part) bool {
	i := slices.IndexFunc(parts, func(p part) bool { return p.kind == partTimestamp })
	if i < 0 || i+1 == len(parts) {
		return true
	}
	next := parts[i+1]
	return next.kind == partLiteral && strings.IndexByte(".,Zz+-0123456789", next.text[0]) < 0
}
