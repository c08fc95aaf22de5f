package sender

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestParseEventAccepts(t *testing.T) {
	at := time.Date(2024, 3, 5, 10, 30, 0, 0, time.UTC)
	tests := []struct {
		name, body string
		want       webhook.Event
	}{
		{"the least", `{"event":"a","data":null}`, webhook.Event{Type: "a", Data: []byte(`null`)}},
		{"all members", `{"event":"a.b","id":"evt_1","timestamp":"2024-03-05T10:30:00Z","tenant":"t","data":{"x":1}}`,
			webhook.Event{Type: "a.b", ID: "evt_1", Timestamp: at, Tenant: "t", Data: []byte(`{"x":1}`)}},
		{"data first", `{"data":[],"event":"a"}`, webhook.Event{Type: "a", Data: []byte(`[]`)}},
		{"no event is for Publish to refuse", `{"data":1}`, webhook.Event{Data: []byte(`1`)}},
		{"white space", " \r\n\t{ \"event\" : \"a\" , \"data\" : { \"x\" : [ 1 , 2 ] } } \n", webhook.Event{Type: "a", Data: []byte(`{"x":[1,2]}`)}},
		{"an empty tenant", `{"event":"a","tenant":"","data":1}`, webhook.Event{Type: "a", Data: []byte(`1`)}},
		{"escapes in member names", `{"\u0065vent":"a","d\u0061ta":1}`, webhook.Event{Type: "a", Data: []byte(`1`)}},
		{"escapes in members", `{"event":"\u0061","data":1}`, webhook.Event{Type: "a", Data: []byte(`1`)}},
		{"a timestamp with a zone", `{"event":"a","timestamp":"2024-03-05T12:30:00+02:00","data":1}`, webhook.Event{Type: "a", Timestamp: at, Data: []byte(`1`)}},
		{"a timestamp in small letters", `{"event":"a","timestamp":"2024-03-05t10:30:00z","data":1}`, webhook.Event{Type: "a", Timestamp: at, Data: []byte(`1`)}},
		{"a timestamp to the nanosecond", `{"event":"a","timestamp":"2024-03-05T10:30:00.000000001Z","data":1}`,
			webhook.Event{Type: "a", Timestamp: at.Add(1), Data: []byte(`1`)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseEvent([]byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseEventKeepsData: the data is the publisher's, byte for byte, but for
// white space between its parts.
func TestParseEventKeepsData(t *testing.T) {
	tests := []struct{ name, data string }{
		{"exponent", `1e21`},
		{"upper-case exponent", `1E+2`},
		{"twenty digits", `12345678901234567890`},
		{"a fraction of zero", `1.0`},
		{"negative zero", `-0`},
		{"a number past what a float holds", `1e999`},
		{"U+2028 raw", "\"a\u2028b\u2029c\""},
		{"U+2028 escaped", `"a\u2028b"`},
		{"escaped slash", `"<\/script>"`},
		{"raw angle brackets", `"<script>&amp;"`},
		{"escaped letter", `"\u0061"`},
		{"upper-case escape", `"\u00E9"`},
		{"surrogate pair", `"\uD83D\uDE00"`},
		{"raw emoji", "\"\U0001F600\""},
		{"NUL", `"\u0000"`},
		{"DEL raw", "\"\x7f\""},
		{"white space within a string", `"a  b\n c"`},
		{"member order", `{"z":1,"a":2,"m":{"y":1,"b":2}}`},
		{"names that differ in case", `{"a":1,"A":2}`},
		{"an empty name", `{"":0}`},
		{"the same name in different objects", `{"a":{"a":[{"a":1},{"a":2}]}}`},
		{"replacement character", "\"\uFFFD\""},
		{"deep nesting", strings.Repeat(`[`, 1000) + strings.Repeat(`]`, 1000)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseEvent([]byte("{\"event\":\"a\",\"data\":  " + test.data + "\n}"))
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Data) != test.data {
				t.Errorf("data is %s, want %s", got.Data, test.data)
			}
		})
	}
}

func TestParseEventRefuses(t *testing.T) {
	const example = `send an object such as {"event":"conversation.created","data":{}}`
	tests := []struct {
		name, body string
		kind       error
		want       string // after the kind
	}{
		{"empty", ``, errMalformed, `the body is empty: ` + example},
		{"white space", " \r\n\t", errMalformed, `the body is empty: ` + example},
		{"null", `null`, errMalformed, `the body is a JSON null: ` + example},
		{"boolean", `true`, errMalformed, `the body is a JSON boolean: ` + example},
		{"number", `17`, errMalformed, `the body is a JSON number: ` + example},
		{"string", `"event"`, errMalformed, `the body is a JSON string: ` + example},
		{"array", `[{"event":"a","data":1}]`, errMalformed, `the body is a JSON array: ` + example},
		{"form", `event=a&data=1`, errMalformed, `the body is not valid JSON: invalid character 'e' at start of value (at byte 0)`},
		{"XML", `<event/>`, errMalformed, `the body is not valid JSON: invalid character '<' at start of value (at byte 0)`},
		{"byte order mark", "\ufeff{}", errMalformed, `the body is not valid JSON: invalid character '\ufeff' at start of value (at byte 0)`},
		{"truncated after the brace", `{`, errMalformed, `the body is not valid JSON: it ends too early (at byte 1)`},
		{"truncated in a name", `{"eve`, errMalformed, `the body is not valid JSON: it ends too early (at byte 5)`},
		{"truncated after a name", `{"event"`, errMalformed, `the body is not valid JSON: it ends too early (at byte 8, /event)`},
		{"truncated in a value", `{"event":"a`, errMalformed, `the body is not valid JSON: it ends too early (at byte 11, /event)`},
		{"truncated in data", `{"event":"a","data":{"x":[1,`, errMalformed, `the body is not valid JSON: it ends too early (at byte 28, /data/x)`},
		{"truncated at the end", `{"event":"a","data":1`, errMalformed, `the body is not valid JSON: it ends too early (at byte 21)`},
		{"trailing word", `{"event":"a","data":1} x`, errMalformed, `something follows the JSON object: send one event and nothing else`},
		{"trailing object", `{"event":"a","data":1}{"event":"b","data":1}`, errMalformed, `something follows the JSON object: send one event and nothing else`},
		{"trailing brace", `{"event":"a","data":1}}`, errMalformed, `something follows the JSON object: send one event and nothing else`},
		{"trailing NUL", "{\"event\":\"a\",\"data\":1}\x00", errMalformed, `something follows the JSON object: send one event and nothing else`},
		{"comma at the end", `{"event":"a","data":1,}`, errMalformed, `the body is not valid JSON: invalid character ',' at start of value (at byte 21)`},
		{"single quotes", `{'event':'a'}`, errMalformed, `the body is not valid JSON: invalid character '\'' at start of value (at byte 1)`},
		{"comment", `{/**/}`, errMalformed, `the body is not valid JSON: invalid character '/' at start of value (at byte 1)`},
		{"NaN", `{"event":"a","data":NaN}`, errMalformed, `the body is not valid JSON: invalid character 'N' at start of value (at byte 20, /data)`},
		{"leading zero", `{"event":"a","data":01}`, errMalformed, `the body is not valid JSON: invalid character '1' after object value (expecting ',' or '}') (at byte 21)`},
		{"control character", "{\"event\":\"a\nb\",\"data\":1}", errMalformed, `the body is not valid JSON: invalid character '\n' in string (expecting non-control character) (at byte 11, /event)`},
		{"event twice", `{"event":"a","data":1,"event":"b"}`, errMalformed, `the body is not valid JSON: a member name stands twice in the same object: remove one (at byte 22, /event)`},
		{"data twice", `{"data":1,"event":"a","data":2}`, errMalformed, `the body is not valid JSON: a member name stands twice in the same object: remove one (at byte 22, /data)`},
		{"twice by an escape", `{"event":"a","\u0065vent":"b","data":1}`, errMalformed, `the body is not valid JSON: a member name stands twice in the same object: remove one (at byte 13, /event)`},
		{"twice in data", `{"event":"a","data":{"x":{"y":1,"y":2}}}`, errMalformed, `the body is not valid JSON: a member name stands twice in the same object: remove one (at byte 32, /data/x/y)`},
		{"twice in an array in data", `{"event":"a","data":[0,{"y":1,"y":2}]}`, errMalformed, `the body is not valid JSON: a member name stands twice in the same object: remove one (at byte 30, /data/1/y)`},
		{"not UTF-8", "{\"event\":\"a\",\"data\":\"\xff\"}", errMalformed, `the body is not valid JSON: it holds bytes that are not UTF-8: encode the text as UTF-8 (at byte 21, /data)`},
		{"overlong UTF-8", "{\"event\":\"a\",\"data\":\"\xc0\xaf\"}", errMalformed, `the body is not valid JSON: it holds bytes that are not UTF-8: encode the text as UTF-8 (at byte 21, /data)`},
		{"not UTF-8 in a name", "{\"event\":\"a\",\"data\":{\"\xff\":1}}", errMalformed, `the body is not valid JSON: it holds bytes that are not UTF-8: encode the text as UTF-8 (at byte 22, /data)`},
		{"UTF-8 surrogate", "{\"event\":\"a\",\"data\":\"\xed\xa0\x80\"}", errMalformed, `the body is not valid JSON: it holds bytes that are not UTF-8: encode the text as UTF-8 (at byte 21, /data)`},
		{"lone surrogate", `{"event":"a","data":"\ud800"}`, errMalformed, `the body is not valid JSON: invalid surrogate pair ` + "`\\ud800\"}`" + ` in string (at byte 21, /data)`},
		{"lone low surrogate", `{"event":"a","data":"\udc00 "}`, errMalformed, `the body is not valid JSON: invalid surrogate pair "\\udc00 \"}" in string (at byte 21, /data)`},
		{"nested too deep", `{"event":"a","data":` + strings.Repeat(`[`, 10001) + strings.Repeat(`]`, 10001) + `}`, errMalformed, `the body is not valid JSON: exceeded max depth (at byte 10019, /data` + strings.Repeat("/0", 97) + `/…)`},
		{"no data", `{"event":"a"}`, ErrInvalid, `data is missing: add a JSON value that describes the event`},
		{"nothing", `{}`, ErrInvalid, `data is missing: add a JSON value that describes the event`},
		{"misspelt", `{"evnt":"a","data":1}`, ErrInvalid, `the member "evnt" is unknown: an event has event, data, id, timestamp and tenant; put everything else into data`},
		{"upper case", `{"Event":"a","data":1}`, ErrInvalid, `the member "Event" is unknown: an event has event, data, id, timestamp and tenant; put everything else into data`},
		{"a long name", `{"` + strings.Repeat("x", 65) + `":1}`, ErrInvalid, `the member "` + strings.Repeat("x", 64) + `…" is unknown: an event has event, data, id, timestamp and tenant; put everything else into data`},
		{"event: number", `{"event":1,"data":1}`, ErrInvalid, `event is a JSON number: write it as a string`},
		{"id: number", `{"event":"a","id":17,"data":1}`, ErrInvalid, `id is a JSON number: write it as a string`},
		{"id: null", `{"event":"a","id":null,"data":1}`, ErrInvalid, `id is a JSON null: write it as a string`},
		{"tenant: boolean", `{"event":"a","tenant":true,"data":1}`, ErrInvalid, `tenant is a JSON boolean: write it as a string`},
		{"timestamp: number", `{"event":"a","timestamp":1709634600,"data":1}`, ErrInvalid, `timestamp is a JSON number: write it as a string`},
		{"event: array", `{"event":["a"],"data":1}`, ErrInvalid, `event is a JSON array: write it as a string`},
		{"event: object", `{"event":{},"data":1}`, ErrInvalid, `event is a JSON object: write it as a string`},
		{"event: empty", `{"event":"","data":1}`, ErrInvalid, `event is an empty string: give it a value, or leave the member out`},
		{"id: empty", `{"event":"a","id":"","data":1}`, ErrInvalid, `id is an empty string: give it a value, or leave the member out`},
		{"timestamp: empty", `{"event":"a","timestamp":"","data":1}`, ErrInvalid, `timestamp is an empty string: give it a value, or leave the member out`},
		{"timestamp: a date", `{"event":"a","timestamp":"2024-03-05","data":1}`, ErrInvalid, `timestamp is not in RFC 3339 form: write it such as 2024-03-05T10:30:00Z`},
		{"timestamp: a comma", `{"event":"a","timestamp":"2024-03-05T10:30:00,5Z","data":1}`, ErrInvalid, `timestamp is not in RFC 3339 form: write it such as 2024-03-05T10:30:00Z`},
		{"timestamp: one digit of the hour", `{"event":"a","timestamp":"2024-03-05T1:30:00Z","data":1}`, ErrInvalid, `timestamp is not in RFC 3339 form: write it such as 2024-03-05T10:30:00Z`},
		{"timestamp: a zone out of range", `{"event":"a","timestamp":"2024-03-05T10:30:00+24:00","data":1}`, ErrInvalid, `timestamp is not in RFC 3339 form: write it such as 2024-03-05T10:30:00Z`},
		{"timestamp: no zone", `{"event":"a","timestamp":"2024-03-05T10:30:00","data":1}`, ErrInvalid, `timestamp is not in RFC 3339 form: write it such as 2024-03-05T10:30:00Z`},
		{"timestamp: 30 February", `{"event":"a","timestamp":"2024-02-30T10:30:00Z","data":1}`, ErrInvalid, `timestamp is not in RFC 3339 form: write it such as 2024-03-05T10:30:00Z`},
		{"timestamp: Go's zero time", `{"event":"a","timestamp":"0001-01-01T00:00:00Z","data":1}`, ErrInvalid, `timestamp lies in the year 1: give the time at which the event happened`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := parseEvent([]byte(test.body))
			if !errors.Is(err, test.kind) {
				t.Fatalf("parsed %+v, %v; want %v", e, err, test.kind)
			}
			if want := test.kind.Error() + ": " + test.want; err.Error() != want {
				t.Errorf("the error is\n%s\nwant\n%s", err, want)
			}
		})
	}
}

// FuzzParseEvent: what is accepted is the publisher's JSON: it has the same
// values to encoding/json, and its data is compact.
func FuzzParseEvent(f *testing.F) {
	for _, s := range []string{
		`{"event":"conversation.created","timestamp":"2024-03-05T10:30:00Z","data":{"id":"conv_123","inbox_id":1}}`,
		`{"data":[1e21,12345678901234567890,1.0,-0,"\u2028<\/"],"event":"a","id":"b","tenant":"c"}`,
		"{\"event\":\"a\",\"data\":\"\xff\"}", `{"event":"a","data":{"x":1,"x":2}}`, `{"event":"a","data":"\ud800"}`,
		" {\n\"event\" : \"a\" , \"data\" : [ { } , [ ] , null , true ] } ", `{}`, `[`, ``, "\ufeff{}", `{"event":"a","data":1}x`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		e, err := parseEvent(body)
		if !bytes.Equal(body, before) {
			t.Fatalf("the body was changed from %q to %q", before, body)
		}
		if err != nil {
			if !errors.Is(err, errMalformed) && !errors.Is(err, ErrInvalid) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		var raw struct {
			Event, ID, Tenant string
			Timestamp         time.Time
			Data              json.RawMessage
		}
		if err := json.Unmarshal(body, &raw); err != nil {
			t.Fatalf("encoding/json refuses what was accepted: %v", err)
		}
		if raw.Event != e.Type || raw.ID != e.ID || raw.Tenant != e.Tenant || !raw.Timestamp.Equal(e.Timestamp) {
			t.Fatalf("parsed %+v, encoding/json reads %+v", e, raw)
		}
		var compacted bytes.Buffer
		if err := json.Compact(&compacted, e.Data); err != nil || !bytes.Equal(compacted.Bytes(), e.Data) {
			t.Fatalf("data %q is not compact: %q (%v)", e.Data, compacted.Bytes(), err)
		}
		if got, want := decoded(t, e.Data), decoded(t, raw.Data); !reflect.DeepEqual(got, want) {
			t.Fatalf("data is %v, encoding/json reads %v", got, want)
		}
	})
}

// decoded reads JSON with its numbers as they are written.
func decoded(t *testing.T, data []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("data %q does not decode: %v", data, err)
	}
	return v
}
