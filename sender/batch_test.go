package sender

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseEvents(t *testing.T) {
	many := strings.Repeat(`{"event":"a","data":1},`, maxBatch)
	tests := []struct {
		name  string
		form  bodyForm
		body  string
		types []string
		batch bool
		kind  error
		want  string
	}{
		{name: "one", body: `{"event":"a","data":1}`, types: []string{"a"}},
		{name: "array", body: ` [ {"event":"a","data":1} , {"event":"b","data":[ ]} ] `, types: []string{"a", "b"}, batch: true},
		{name: "array of one", body: `[{"event":"a","data":1}]`, types: []string{"a"}, batch: true},
		{name: "lines", form: formLines, body: "{\"event\":\"a\",\"data\":1}\r\n\n {\"event\":\"b\",\"data\":2}", types: []string{"a", "b"}, batch: true},
		{name: "as many as may be", body: "[" + strings.TrimSuffix(many, ",") + "]", types: strings.Split(strings.TrimSuffix(strings.Repeat("a,", maxBatch), ","), ","), batch: true},

		{name: "empty array", body: `[]`, kind: ErrInvalid, want: "invalid event: the batch is empty: publish 1 to 1000 events at a time"},
		{name: "no lines", form: formLines, body: "\n\n", kind: ErrInvalid, want: "invalid event: the batch is empty: publish 1 to 1000 events at a time"},
		{name: "too many", body: "[" + many + `{"event":"a","data":1}]`, kind: ErrInvalid, want: "invalid event: the batch has more than 1000 events: publish 1 to 1000 at a time"},
		{name: "not an object in an array", body: `[{"event":"a","data":1},17]`, kind: errMalformed,
			want: `event 2: malformed body: the body is a JSON number: send an object such as {"event":"conversation.created","data":{}}`},
		{name: "wrong in an array", body: `[{"event":"a","data":1},{"event":"b"}]`, kind: ErrInvalid,
			want: "event 2: invalid event: data is missing: add a JSON value that describes the event"},
		{name: "wrong on a line", form: formLines, body: "{\"event\":\"a\",\"data\":1}\n{\"event\":\"b\"}\n", kind: ErrInvalid,
			want: "event 2: invalid event: data is missing: add a JSON value that describes the event"},
		{name: "two on a line", form: formLines, body: `{"event":"a","data":1}{"event":"b","data":1}`, kind: errMalformed,
			want: "event 1: malformed body: something follows the JSON object: send one event and nothing else"},
		{name: "truncated array", body: `[{"event":"a","data":1}`, kind: errMalformed, want: "event 2: malformed body: the body is not valid JSON: it ends too early (at byte 23)"},
		{name: "something after an array", body: `[{"event":"a","data":1}] 5`, kind: errMalformed, want: "malformed body: something follows the JSON array: send one array and nothing else"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, batch, err := parseEvents([]byte(tt.body), tt.form)
			if tt.kind != nil {
				if !errors.Is(err, tt.kind) || err.Error() != tt.want {
					t.Fatalf("the error is\n%v\nwant\n%s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var types []string
			for _, e := range events {
				types = append(types, e.Type)
			}
			if diff := cmp.Diff(tt.types, types); diff != "" {
				t.Errorf("wanted (-) and parsed (+) differ:\n%s", diff)
			}
			if batch != tt.batch {
				t.Errorf("batch is %t, want %t", batch, tt.batch)
			}
		})
	}
}

func FuzzParseEvents(f *testing.F) {
	for _, s := range []string{`{"event":"a","data":1}`, `[{"event":"a","data":1},{"event":"b","data":{}}]`, "{\"event\":\"a\",\"data\":1}\n{\"event\":\"b\",\"data\":2}", `[`, `[,]`, "\n"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		form := formJSON
		if lines {
			form = formLines
		}
		events, batch, err := parseEvents(body, form)
		switch {
		case err != nil && !errors.Is(err, errMalformed) && !errors.Is(err, ErrInvalid):
			t.Errorf("the error %v is of no known kind", err)
		case err == nil && (len(events) == 0 || len(events) > maxBatch || !batch && len(events) != 1):
			t.Errorf("%d events, batch %t", len(events), batch)
		}
	})
}
