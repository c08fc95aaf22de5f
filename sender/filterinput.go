package sender

import (
	"bytes"
	"mime"
	"strconv"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/webhook"
)

// filterInput is an event as filters see it. Its data is decoded when the
// first filter asks for it, once for all filters.
type filterInput struct {
	event *webhook.Event
	once  sync.Once
	data  ref.Val // nil when the event's data is no JSON
}

// newFilterInput makes an event ready for filters, at no cost until one of them
// asks for the data.
func newFilterInput(e *webhook.Event) *filterInput { return &filterInput{event: e} }

// ResolveName returns a variable of the filters.
func (in *filterInput) ResolveName(name string) (any, bool) {
	switch name {
	case "event":
		return types.String(in.event.Type), true
	case "data":
		in.once.Do(in.decode)
		return in.data, in.data != nil
	}
	return nil, false
}

// Parent is nil: there are no other variables.
func (in *filterInput) Parent() cel.Activation { return nil }

func (in *filterInput) decode() {
	value, ok := jsonOf(in.event)
	if !ok {
		return
	}
	// Names have been checked.
	decoder := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	data, err := decodeFilterValue(decoder)
	if err != nil {
		return
	}
	in.data = data
}

// isJSON tells whether a media type says JSON; an empty one does.
func isJSON(contentType string) bool {
	if contentType == "" || contentType == "application/json" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// decodeFilterValue reads a JSON value as CEL values.
func decodeFilterValue(decoder *jsontext.Decoder) (ref.Val, error) {
	token, err := decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 't', 'f':
		return types.Bool(token.Bool()), nil
	case '"':
		return types.String(token.String()), nil
	case '0':
		return filterNumber(token.String()), nil
	case '{':
		members := make(map[string]any)
		for decoder.PeekKind() != '}' {
			name, err := decoder.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String() // the token is good until the next is read
			if members[key], err = decodeFilterValue(decoder); err != nil {
				return nil, err
			}
		}
		_, err := decoder.ReadToken()
		return types.NewStringInterfaceMap(types.DefaultTypeAdapter, members), err
	case '[':
		elements := []ref.Val{}
		for decoder.PeekKind() != ']' {
			element, err := decodeFilterValue(decoder)
			if err != nil {
				return nil, err
			}
			elements = append(elements, element)
		}
		_, err := decoder.ReadToken()
		return types.NewRefValList(types.DefaultTypeAdapter, elements), err
	}
	return types.NullValue, nil
}

// filterNumber is an integer where the number is written as one and fits into
// 64 bits; otherwise it is the double next to it.
func filterNumber(s string) ref.Val {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return types.Int(n)
	}
	n, _ := strconv.ParseFloat(s, 64) // beyond the range it is infinite
	return types.Double(n)
}
