package sender

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

var compactSeeds = []string{
	`1`, ` null `, `"a"`, ` " a " `, `"\""`, `"\\"`, `"\\\""`, `"\\\\"  `, "{ \"a\" :\t[ 1 ,\r\n 2 ] , \"b \\\" c\" : \"d\\\\\" }",
	`{"":""}`, `[[ ], { }]`, `"\u0022 \u005c"`, "\"\u2028 \U0001F600\"", `[-0.0e+1 , true , false]`,
}

// FuzzAppendCompact: of every valid value the same is left as of jsontext's
// Compact.
func FuzzAppendCompact(f *testing.F) {
	for _, seed := range compactSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !jsontext.Value(value).IsValid() {
			return
		}
		want := jsontext.Value(value).Clone()
		if err := want.Compact(); err != nil {
			t.Fatal(err)
		}
		if got := appendCompact(nil, value); string(got) != string(want) {
			t.Errorf("of %q is left %q, want %q", value, got, want)
		}
	})
}
