package settings_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func newLogger(b *lockedBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// changing are the operations that may get a body.
func changing() (list []*operation) {
	for _, o := range private() {
		if o.method == "POST" || o.method == "PATCH" {
			list = append(list, o)
		}
	}
	return list
}

func TestBodiesThatAreNotJSONObjects(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", "")
	for _, o := range changing() {
		t.Run(o.id, func(t *testing.T) {
			for name, tt := range map[string]struct {
				body   string
				status int
			}{
				"broken":                {`{"url":`, 400},
				"no JSON":               {`url=https://example.com`, 400},
				"a string":              {`"url"`, 400},
				"an array":              {`[{}]`, 400},
				"null":                  {`null`, 400},
				"two objects":           {`{} {}`, 400},
				"a name twice":          {`{"url":"a","url":"b"}`, 400},
				"a name twice, inside":  {`{"headers":{"A":"a","A":"b"}}`, 400},
				"a name twice, escaped": {`{"url":"a","\u0075rl":"b"}`, 400},
				"no UTF-8":              {"{\"url\":\"\xff\"}", 400},
				"too deep":              {`{"url":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, 400},
				"too large":             {`{"url":"` + strings.Repeat("a", 64<<10) + `"}`, 413},
				"an unknown member":     {`{"ulr":"a"}`, 422},
				"in another case":       {`{"URL":"a"}`, 422},
			} {
				a := r.do(o.method, strings.ReplaceAll(o.path, "{id}", id), tt.body)
				if a.status != tt.status {
					t.Errorf("%s: the status is %d, want %d: %s", name, a.status, tt.status, a.body)
				}
			}
			for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/json; charset=latin1", "", "a b"} {
				r.do(o.method, o.somePath(), "{}", "Content-Type", contentType).problem(http.StatusUnsupportedMediaType, "")
			}
			r.do(o.method, o.somePath(), "{}", "Content-Encoding", "gzip").problem(http.StatusUnsupportedMediaType, "")
		})
	}
}

func TestContentTypesThatAreJSON(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", "")
	for _, contentType := range []string{"application/json", "application/json; charset=UTF-8", "Application/JSON", "application/merge-patch+json"} {
		r.do("PATCH", "/api/endpoints/"+id, `{"description":"x"}`, "Content-Type", contentType).want(http.StatusOK)
	}
	r.do("POST", "/api/endpoints", `{"url":"`+r.site.URL+`"}`, "Content-Type", "application/merge-patch+json").want(http.StatusUnsupportedMediaType)
	r.do("POST", "/api/endpoints", "").problem(http.StatusBadRequest, "")
	r.do("POST", "/api/endpoints", " ", "Content-Type", "text/plain").problem(http.StatusBadRequest, "")
}
