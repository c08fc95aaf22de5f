package receiver

import (
	"fmt"
	"slices"
	"strings"
)

// compiledTemplate is a valid [Template] ready for use, without the secrets.
type compiledTemplate struct {
	algorithm algorithm
	key       string
	encoding  string

	before, after []part // what is signed around the body
	body          bool   // whether the body itself is signed between them

	signature places
	timestamp places
	format    string
	zoneless  bool // the end of a timestamp is seen even if it names no zone
	id        places
	apart     places
	eventType places
	paths     jsonPaths

	// bodyCovered and idSigned tell whether the signature covers the body and
	// the ID.
	bodyCovered bool
	idSigned    bool

	// identified tells that the event may be known by what is signed besides
	// the body.
	identified bool
}

// compile checks a template. The problems are sentences that start with the
// name of a member.
func (t *Template) compile() (*compiledTemplate, []string) {
	c := &compiledTemplate{encoding: t.Encoding, format: t.TimestampFormat}
	var problems []string
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	name := t.Algorithm
	if name == "" {
		name = algorithmHMACSHA256
	}
	var known bool
	if c.algorithm, known = algorithms[name]; !known {
		problem("algorithm %q is unknown: use one of %s", name, strings.Join(algorithmNames(), ", "))
	} else if c.key = t.Key; c.key == "" {
		c.key = c.algorithm.keys[0]
	} else if !slices.Contains(c.algorithm.keys, c.key) {
		problem("key %q does not go with %s: use one of %s", c.key, name, strings.Join(c.algorithm.keys, ", "))
	}

	switch t.Encoding {
	case "":
		c.encoding = encodingHex
	case encodingHex, encodingBase64, encodingBase64URL:
	default:
		problem("encoding %q is unknown: use hex, base64 or base64url", t.Encoding)
	}
	switch t.TimestampFormat {
	case "":
		c.format = formatUnix
	case formatUnix, formatUnixMS, formatRFC3339, formatAuto:
	default:
		problem("timestamp_format %q is unknown: use unix, unix_ms, rfc3339 or auto", t.TimestampFormat)
	}
	if t.TimestampFormat != "" && len(t.Timestamp) == 0 {
		problem("timestamp_format is set and timestamp is not: say where the timestamp is, or leave both out")
	}

	compilePlaces := func(member string, list []Place) places {
		var ps places
		for i, p := range list {
			compiled, wrong := newPlace(p, member == "signature")
			if wrong != "" {
				problem("%s[%d] %s", member, i, wrong)
			}
			ps = append(ps, compiled)
		}
		return ps
	}
	if len(t.Signature) == 0 {
		problem("signature is not set: name the header that the signature is in")
	}
	c.signature = compilePlaces("signature", t.Signature)
	c.timestamp = compilePlaces("timestamp", t.Timestamp)
	c.id = compilePlaces("id", t.ID)
	c.apart = compilePlaces("distinguish", t.Distinguish)
	c.eventType = compilePlaces("type", t.Type)

	problems = append(problems, c.compileContent(t)...)
	if c.countPaths(); c.paths.count > maxJSONPaths {
		problem("the places and the content name %d JSON members: name at most %d", c.paths.count, maxJSONPaths)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

// compileContent reads the content, and what follows from it.
func (c *compiledTemplate) compileContent(t *Template) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if c.algorithm.token {
		if t.Content != "" || t.Encoding != "" || len(t.Timestamp) > 0 || t.BodyUnsigned {
			problem("algorithm token signs nothing: leave out content, encoding, timestamp and body_unsigned")
		}
		return problems
	}
	content := t.Content
	if content == "" {
		content = "{body}"
	}
	parts, wrong := parseContent(content)
	if wrong != "" {
		problem("content %s", wrong)
		return problems
	}
	c.bodyCovered = coversBody(parts)
	switch {
	case !c.bodyCovered && !t.BodyUnsigned:
		problem("content has neither {body} nor {body_sha256}, so that anyone could change the body: add one, or set body_unsigned if the sender really does not sign it")
	case c.bodyCovered && t.BodyUnsigned:
		problem("body_unsigned is set and content has the body: leave body_unsigned out")
	}
	if has(parts, partTimestamp) && len(t.Timestamp) == 0 {
		problem("content has {timestamp} and timestamp is not set: say where the timestamp is")
	}
	if has(parts, partID) && len(t.ID) == 0 {
		problem("content has {id} and id is not set: say where the ID is")
	}
	for i := range c.timestamp {
		if !has(parts, partTimestamp) && !covers(parts, &c.timestamp[i]) {
			problem("timestamp[%d] is not signed, so that it proves nothing: put {timestamp} into content, or leave timestamp out", i)
		}
	}
	c.idSigned = len(c.id) > 0
	for i := range c.id {
		c.idSigned = c.idSigned && (signsID(parts) || covers(parts, &c.id[i]))
	}
	for i := range parts {
		parts[i].timed = parts[i].kind == partTimestamp || slices.ContainsFunc(c.timestamp, func(p place) bool { return parts[i].names(&p) })
	}
	c.zoneless = endsPlainly(parts)
	c.identified = slices.ContainsFunc(parts, func(p part) bool { return p.identifies() })
	at := slices.IndexFunc(parts, func(p part) bool { return p.kind == partBody })
	if at < 0 {
		c.before = parts
		return problems
	}
	c.before, c.body, c.after = parts[:at], true, parts[at+1:]
	if has(c.after, partBody) {
		problem("content has {body} twice: write it once")
	}
	return problems
}

// signsID tells whether {id} is signed and its end is seen.
func signsID(parts []part) bool {
	i := slices.IndexFunc(parts, func(p part) bool { return p.kind == partID })
	return i >= 0 && isDelimited(parts, i)
}

// countPaths gives every JSON path its index.
func (c *compiledTemplate) countPaths() {
	for _, ps := range []places{c.signature, c.timestamp, c.id, c.apart, c.eventType} {
		for i := range ps {
			if ps[i].json != "" {
				ps[i].path = c.paths.add(ps[i].json)
			}
		}
	}
	for _, parts := range [][]part{c.before, c.after} {
		for i := range parts {
			if parts[i].kind == partJSON {
				parts[i].path = c.paths.add(parts[i].text)
			}
		}
	}
}
