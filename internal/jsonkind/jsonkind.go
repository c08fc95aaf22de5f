// Package jsonkind names the kinds of JSON values in errors.
package jsonkind

import "github.com/go-json-experiment/json/jsontext"

// Name is what people call a kind: null, boolean, string, number, array or
// object.
func Name(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '[':
		return "array"
	case '{':
		return "object"
	}
	return "value"
}
