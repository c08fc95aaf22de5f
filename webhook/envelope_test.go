package webhook_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// nastyData is everything that JSON encoders like to write differently: key
// order, escapes, numbers, and characters that some escape.
const nastyData = "{\"10\":1,\"2\":[],\"a\":{},\"u\":\"\u2028\u2029\",\"html\":\"<b>&amp;</b>\",\"slash\":\"\\/\",\"e\":\"\\u00e9\u00e9\\ud83d\\ude00\",\"big\":12345678901234567890,\"f\":1.0,\"x\":1e21,\"s\":1e-7,\"z\":-0,\"n\":null,\"q\":\"\\\"}\"}"

func TestAppendBody(t *testing.T) {
	const (
		stamp  = `"timestamp":"2024-03-05T10:30:00Z"`
		ceHead = `{"specversion":"1.0","id":"` + vectorID + `","source":"/webhooks","type":"conversation.created","time":"2024-03-05T10:30:00Z","datacontenttype":"application/json","data":`
		ceType = "application/cloudevents+json; charset=utf-8"
	)
	tests := []struct {
		name        string
		format      webhook.Format
		data        string
		contentType string // of the event
		secret      string
		want        string
		wantType    string
	}{
		{"manysends", webhook.FormatManySends, vectorData, "", vectorSecret, vectorBody, "application/json"},
		{"zero format", "", vectorData, "", vectorSecret, vectorBody, "application/json"},
		{"manysends without a secret", webhook.FormatManySends, vectorData, "", "", vectorUnsigned, "application/json"},
		{"manysends, a form", webhook.FormatManySends, "a=<1>&b=\"", "application/x-www-form-urlencoded", "", `{"event":"conversation.created",` + stamp + `,"data":{"content_type":"application/x-www-form-urlencoded","text":"a=<1>&b=\""}}`, "application/json"},
		{"manysends, no text", webhook.FormatManySends, "\xff", "image/png", "", `{"event":"conversation.created",` + stamp + `,"data":{"content_type":"image/png","base64":"/w=="}}`, "application/json"},
		{"standard, a text", webhook.FormatStandard, "", "text/plain", "", `{"type":"conversation.created",` + stamp + `,"data":{"content_type":"text/plain","text":""}}`, "application/json"},
		{"cloudevents, a text", webhook.FormatCloudEvents, "a", "text/plain", "", strings.Replace(ceHead, `"application/json","data":`, `"text/plain","data_base64":"YQ=="}`, 1), ceType},
		{"manysends, nasty", webhook.FormatManySends, nastyData, "", "", `{"event":"conversation.created",` + stamp + `,"data":` + nastyData + `}`, "application/json"},
		{"manysends, a number", webhook.FormatManySends, `12345678901234567890`, "", "", `{"event":"conversation.created",` + stamp + `,"data":12345678901234567890}`, "application/json"},
		{"standard", webhook.FormatStandard, vectorData, "", vectorSecret, `{"type":"conversation.created",` + stamp + `,"data":` + vectorData + `}`, "application/json"},
		{"standard, nasty", webhook.FormatStandard, nastyData, "", "", `{"type":"conversation.created",` + stamp + `,"data":` + nastyData + `}`, "application/json"},
		{"cloudevents", webhook.FormatCloudEvents, vectorData, "", vectorSecret, ceHead + vectorData + `}`, ceType},
		{"cloudevents, nasty", webhook.FormatCloudEvents, nastyData, "", "", ceHead + nastyData + `}`, ceType},
		{"raw", webhook.FormatRaw, "id,status\n1,open\n", "text/csv", vectorSecret, "id,status\n1,open\n", "text/csv"},
		{"raw without a content type", webhook.FormatRaw, ` {"spaces" : "kept"} `, "", "", ` {"spaces" : "kept"} `, "application/json"},
		{"raw, empty", webhook.FormatRaw, "", "", "", "", "application/json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := vectorEvent()
			e.Data, e.ContentType = []byte(tt.data), tt.contentType
			var secret *webhook.Secret
			if tt.secret != "" {
				secret = mustSecret(t, tt.secret)
			}
			// Without room, with too little for the signature, and with enough.
			for _, room := range []int{0, len(tt.want) - 20, len(tt.want) + 100} {
				dst := append(make([]byte, 0, max(0, room)), "kept:"...)
				got, contentType := tt.format.AppendBody(dst, e, secret)
				if diff := cmp.Diff("kept:"+tt.want, string(got)); diff != "" {
					t.Errorf("with room for %d bytes (-want +got):\n%s", room, diff)
				}
				if contentType != tt.wantType {
					t.Errorf("content type %q, want %q", contentType, tt.wantType)
				}
			}
			if string(e.Data) != tt.data {
				t.Error("the event's data was changed")
			}
		})
	}
}

// TestAppendBodyCompressed: a body that is compressed is no text, whatever it
// looks like, and is sent with how it is compressed.
func TestAppendBodyCompressed(t *testing.T) {
	for format, want := range map[webhook.Format]string{
		webhook.FormatManySends:   `"data":{"content_type":"text/plain","content_encoding":"br","base64":"YQ=="}`,
		webhook.FormatStandard:    `"data":{"content_type":"text/plain","content_encoding":"br","base64":"YQ=="}`,
		webhook.FormatCloudEvents: `"contentencoding":"br","datacontenttype":"text/plain","data_base64":"YQ=="`,
	} {
		e := vectorEvent()
		e.Data, e.ContentType, e.Headers = []byte("a"), "text/plain", http.Header{"Content-Encoding": {"br"}}
		body, _ := format.AppendBody(nil, e, nil)
		if !strings.Contains(string(body), want) || !json.Valid(body) {
			t.Errorf("%s: %s does not hold %s", format, body, want)
		}
	}
}

func TestAppendBodyTimestamp(t *testing.T) {
	east := time.FixedZone("east", 5*3600+1800)
	for want, at := range map[string]time.Time{
		"2024-03-05T10:30:00Z":           time.Date(2024, 3, 5, 16, 0, 0, 0, east),
		"2024-03-05T10:30:00.25Z":        time.Date(2024, 3, 5, 10, 30, 0, 250e6, time.UTC),
		"2024-03-05T10:30:00.000000001Z": time.Date(2024, 3, 5, 10, 30, 0, 1, time.UTC),
		"2024-02-29T23:59:59.999999999Z": time.Date(2024, 2, 29, 23, 59, 59, 999999999, time.UTC),
	} {
		for _, f := range []webhook.Format{webhook.FormatManySends, webhook.FormatStandard, webhook.FormatCloudEvents} {
			e := vectorEvent()
			e.Timestamp = at
			body, _ := f.AppendBody(nil, e, nil)
			if !strings.Contains(string(body), `"`+want+`"`) {
				t.Errorf("%s: %s does not hold %s", f, body, want)
			}
		}
	}
}

// TestCloudEventsAttributes reads the body as a CloudEvents consumer does
// (CloudEvents 1.0, "Context attributes", and its JSON format, section 3).
func TestCloudEventsAttributes(t *testing.T) {
	e := vectorEvent()
	e.Data = []byte(nastyData)
	body, _ := webhook.FormatCloudEvents.AppendBody(nil, e, nil)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	var data json.RawMessage
	for name, raw := range members {
		if name == "data" {
			data = raw
			continue
		}
		var s string
		if err := json.Unmarshal(raw, &s); err != nil || s == "" {
			t.Errorf("attribute %s is %s: it must be a non-empty string", name, raw)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("attribute name %q has characters other than a-z and 0-9", name)
		}
	}
	for _, required := range []string{"specversion", "id", "source", "type"} {
		if members[required] == nil {
			t.Errorf("the required attribute %s is missing", required)
		}
	}
	if string(members["specversion"]) != `"1.0"` {
		t.Errorf("specversion is %s", members["specversion"])
	}
	var at time.Time
	if err := json.Unmarshal(members["time"], &at); err != nil || !at.Equal(e.Timestamp) {
		t.Errorf("time is %s", members["time"])
	}
	if string(data) != nastyData {
		t.Errorf("data is %s", data)
	}
}

func TestParseFormat(t *testing.T) {
	for in, want := range map[string]webhook.Format{"": webhook.FormatManySends, "manysends": webhook.FormatManySends, "standard": webhook.FormatStandard, "cloudevents": webhook.FormatCloudEvents, "raw": webhook.FormatRaw} {
		got, err := webhook.ParseFormat(in)
		if err != nil || got != want {
			t.Errorf("ParseFormat(%q) = %q, %v; want %q", in, got, err, want)
		}
		var decoded webhook.Format
		quoted, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(quoted, &decoded); err != nil || decoded != want {
			t.Errorf("%s in JSON is read as %q, %v; want %q", quoted, decoded, err, want)
		}
	}
	for _, bad := range []string{"Raw", "json", " raw"} {
		want := `format "` + bad + `" is unknown: use manysends, standard, cloudevents or raw`
		if _, err := webhook.ParseFormat(bad); err == nil || err.Error() != want {
			t.Errorf("ParseFormat(%q) = %v, want %s", bad, err, want)
		}
		var decoded webhook.Format
		if err := json.Unmarshal([]byte(`"`+bad+`"`), &decoded); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q in JSON: %v, want %s", bad, err, want)
		}
	}
	var decoded webhook.Format
	if err := json.Unmarshal([]byte(`1`), &decoded); err == nil {
		t.Error("a number is accepted as a format")
	}
}
