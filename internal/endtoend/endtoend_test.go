package endtoend

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeep(t *testing.T) {
	for _, c := range []struct {
		lines, want []string
	}{
		{nil, nil},
		{[]string{"close"}, []string{"close"}},
		{[]string{"ours"}, nil},
		{[]string{" ours ,, keep-alive", "theirs,ours"}, []string{"keep-alive, theirs"}},
	} {
		h := http.Header{}
		if c.lines != nil {
			h["Connection"] = c.lines
		}
		Keep(h, func(name string) bool { return name == "ours" })
		if diff := cmp.Diff(c.want, h["Connection"]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.lines, diff)
		}
	}
}
