package receiver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/webhook"
)

// maxMembers is how many members an object may have that is read before it is
// known to be authentic.
const maxMembers = 1024

// object is a JSON object of which some members have been read.
type object map[string]jsontext.Value

// readObject reads those members of a JSON object that have one of the names,
// which may be missing. A signature over the values of members vouches for them
// only if every reader takes the same values, so there must not be two members
// of one name, nor one whose name differs from a signed one in nothing but case,
// which some readers take for it. Errors wrap [webhook.ErrSignatureMismatch].
func readObject(text []byte, names ...string) (object, error) {
	fail := func(reason string) (object, error) {
		return nil, fmt.Errorf("%w: the signed JSON %s", webhook.ErrSignatureMismatch, reason)
	}
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return fail("is not an object")
	}
	folded := make([]string, len(names))
	for i, name := range names {
		folded[i] = fold(name)
	}
	o := make(object, len(names))
	for n := 0; d.PeekKind() != '}'; n++ {
		if n == maxMembers {
			return fail(fmt.Sprintf("has an object of more than %d members", maxMembers))
		}
		name, err := d.ReadToken()
		if err != nil {
			return fail("is malformed, or has two members of one name")
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return fail("is malformed, or has two members of one name")
		}
		switch i := slices.Index(folded, fold(key)); {
		case i < 0:
		case names[i] != key:
			return fail(fmt.Sprintf("has a member that differs from %q in nothing but case", names[i]))
		default:
			o[names[i]] = value.Clone()
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return fail("is malformed")
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fail("has something after its end")
	}
	return o, nil
}

// fold makes names alike that a reader which ignores case takes to be the same.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// has tells whether a member is there and is not null.
func (o object) has(name string) bool {
	v, ok := o[name]
	return ok && v.Kind() != 'n'
}

// text is the value of a member that is a string; ok tells whether it is.
func (o object) text(name string) (text string, ok bool) {
	v := o[name]
	if v.Kind() != '"' {
		return "", false
	}
	plain, err := jsontext.AppendUnquote(nil, v)
	return string(plain), err == nil
}

// optional is the value of a member that is a string, null or missing; ok tells
// whether it is one of these.
func (o object) optional(name string) (text string, ok bool) {
	if !o.has(name) {
		return "", true
	}
	return o.text(name)
}
