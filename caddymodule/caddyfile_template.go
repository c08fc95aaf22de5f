package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
	"github.com/manysends/caddy-webhooks/receiver"
)

// parseTemplate reads how a sender signs that has no provider of its own.
// Syntax:
//
//	template {
//		algorithm <algorithm>
//		key <form>
//		content <text with {body}, {timestamp}, {id}…>
//		encoding hex|base64|base64url
//		signature header|query|json <name> {
//			prefix <text>
//			list <separators>
//		}
//		timestamp header|query|json <name> { … }
//		timestamp_format unix|unix_ms|rfc3339|auto
//		id header|query|json <name> { … }
//		type header|query|json <name> { … }
//		distinguish header|query|json <name> { … }
//		body_unsigned
//	}
//
// The places may be repeated. See receiver.Template for what each means.
func parseTemplate(d *caddyfile.Dispenser, out **receiver.Template) error {
	if d.NextArg() {
		return d.Errf("template takes no argument, found %q: put its rules into a block", d.Val())
	}
	t := new(receiver.Template)
	*out = t
	empty := true
	err := block.Each(d, func(word string) error {
		empty = false
		return parseTemplateWord(d, word, t)
	}, "signature", "timestamp", "id", "type", "distinguish")
	if err == nil && empty {
		return d.Err("template has no rules: say at least where the signature is, such as: signature header X-Signature")
	}
	return err
}

func parseTemplateWord(d *caddyfile.Dispenser, word string, t *receiver.Template) error {
	switch word {
	case "algorithm":
		return parseText(d, &t.Algorithm)
	case "key":
		return parseText(d, &t.Key)
	case "content":
		err := parseText(d, &t.Content)
		t.Content = withoutShorthands.Replace(t.Content)
		return err
	case "encoding":
		return parseText(d, &t.Encoding)
	case "signature":
		return parsePlace(d, &t.Signature)
	case "timestamp":
		return parsePlace(d, &t.Timestamp)
	case "timestamp_format":
		return parseText(d, &t.TimestampFormat)
	case "id":
		return parsePlace(d, &t.ID)
	case "type":
		return parsePlace(d, &t.Type)
	case "distinguish":
		return parsePlace(d, &t.Distinguish)
	case "body_unsigned":
		return parseFlag(d, &t.BodyUnsigned)
	}
	return block.Unknown(d, "template", "algorithm", "key", "content", "encoding", "signature", "timestamp", "timestamp_format",
		"id", "type", "distinguish", "body_unsigned")
}

// withoutShorthands undoes what Caddy does to a Caddyfile before it is parsed:
// some names in a content are its shorthands for placeholders as well.
var withoutShorthands = strings.NewReplacer(
	"{http.request.method}", "{method}",
	"{http.request.uri.path}", "{path}",
	"{http.request.uri.query}", "{query}",
	"{http.request.header.", "{header.",
)

// parsePlace reads where in a request a value is, and adds it.
func parsePlace(d *caddyfile.Dispenser, places *[]receiver.Place) error {
	word := d.Val()
	args := d.RemainingArgs()
	if len(args) != 2 || args[1] == "" {
		return d.Errf("%s needs one place: write: %s header <name>, %s query <name> or %s json <path>", word, word, word, word)
	}
	var place receiver.Place
	switch args[0] {
	case "header":
		place.Header = args[1]
	case "query":
		place.Query = args[1]
	case "json":
		place.JSON = args[1]
	default:
		return d.Errf("%s cannot be in %q: use one of header, query, json", word, args[0])
	}
	err := block.Each(d, func(part string) error {
		switch part {
		case "prefix":
			return parseText(d, &place.Prefix)
		case "list":
			return parseText(d, &place.List)
		}
		return block.Unknown(d, word, "prefix", "list")
	})
	*places = append(*places, place)
	return err
}
