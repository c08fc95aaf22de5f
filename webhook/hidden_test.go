package webhook_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// spellings are the ways in which key bytes could show: as text, base64, hex,
// and as the decimal and hexadecimal byte lists that fmt prints.
func spellings(t *testing.T, key []byte) map[string]string {
	t.Helper()
	piece := key[4:16]
	return map[string]string{
		"text":         string(piece),
		"quoted":       strings.Trim(fmt.Sprintf("%q", piece), `"`),
		"base64":       base64.StdEncoding.EncodeToString(key)[8:20],
		"base64 (URL)": base64.URLEncoding.EncodeToString(key)[8:20],
		"hex":          hex.EncodeToString(piece),
		"decimals":     strings.Trim(fmt.Sprint(piece), "[]"),
		"JSON numbers": strings.ReplaceAll(strings.Trim(fmt.Sprint(piece), "[]"), " ", ","),
		"octal":        strings.Trim(fmt.Sprintf("%o", piece), "[]"),
		"binary":       strings.Trim(fmt.Sprintf("%b", piece), "[]"),
		"Go syntax":    strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", piece), "[]byte{"), "}"),
	}
}

// TestKeysNeverShow prints keys in every way that code is likely to, alone and
// inside other values, and looks for their bytes.
func TestKeysNeverShow(t *testing.T) {
	seed, err := hex.DecodeString(vectorSeedHex)
	if err != nil {
		t.Fatal(err)
	}
	secret, signing := mustSecret(t, vectorSecret), mustSigningKey(t, vectorSigningKey)
	// Once used, a secret holds pooled HMAC states, which must not show either.
	secret.AppendSignature(nil, "id", 1, nil)

	type exported struct{ Key any }
	type unexported struct{ key any }
	kinds := []struct {
		name  string
		key   []byte
		shown string // what String says
		value any
		held  any // the same, by value where that is legal
	}{
		{"secret", []byte(vectorKey), "whsec_[hidden]", secret, secret},
		{"signing key", seed, "whsk_[hidden]", signing, *signing},
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			shown := printings(kind.value)
			for _, how := range []string{"%v", "%+v", "%#v", "%s", "slog text", "slog JSON"} {
				if !strings.Contains(shown[how], kind.shown) {
					t.Errorf("%s prints %q, want %q in it", how, shown[how], kind.shown)
				}
			}
			values := map[string]any{
				"alone":               kind.value,
				"by value":            kind.held,
				"in a field":          exported{kind.value},
				"in a hidden field":   unexported{kind.value},
				"value in a field":    exported{kind.held},
				"value in a hidden":   unexported{kind.held},
				"pointer to a struct": &unexported{kind.held},
				"in a slice":          []any{kind.value, kind.held},
				"in a map":            map[string]any{"key": kind.held},
				"in an error":         fmt.Errorf("cannot use %v: %w", kind.value, fmt.Errorf("%+v", kind.held)),
			}
			for where, value := range values {
				for how, text := range printings(value) {
					for spelling, piece := range spellings(t, kind.key) {
						if strings.Contains(text, piece) {
							t.Errorf("%s, printed with %s, shows the key as %s", where, how, spelling)
						}
					}
				}
			}
		})
	}
}

// printings is the value as fmt, slog and JSON print it.
func printings(value any) map[string]string {
	out := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%U", "%c", "%p", "%t"} {
		out[verb] = fmt.Sprintf(verb, value)
	}
	var text, jsonText bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "key", value, slog.Group("in", "key", value))
	slog.New(slog.NewJSONHandler(&jsonText, nil)).Info("m", "key", value, slog.Group("in", "key", value))
	out["slog text"], out["slog JSON"] = text.String(), jsonText.String()
	if encoded, err := json.Marshal(value); err != nil {
		out["json.Marshal error"] = err.Error()
	} else {
		out["json.Marshal"] = string(encoded)
	}
	return out
}

// TestSpellingsAreFound shows that [TestKeysNeverShow] would notice: the same
// search finds the key in a value that does not hide it.
func TestSpellingsAreFound(t *testing.T) {
	type careless struct{ Key []byte }
	want := map[string]string{"%v": "decimals", "%d": "decimals", "%s": "text", "%x": "hex", "%#v": "Go syntax", "json.Marshal": "base64", "slog JSON": "base64"}
	got := printings(careless{[]byte(vectorKey)})
	for how, spelling := range want {
		if !strings.Contains(got[how], spellings(t, []byte(vectorKey))[spelling]) {
			t.Errorf("the key is not found as %s in what %s prints: %s", spelling, how, got[how])
		}
	}
}
