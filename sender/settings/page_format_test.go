package settings_test

import (
	"html"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/settings"
	"github.com/manysends/caddy-webhooks/webhook"
)

func TestTimesAsPagesTellThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "just now", -9 * time.Second: "just now", -10 * time.Second: "10 s ago", -59*time.Minute - time.Second: "59 min ago",
		-47 * time.Hour: "47 h ago", -48 * time.Hour: "2 days ago", time.Millisecond: "in 1 s", 5 * time.Second: "in 5 s", 90 * time.Minute: "in 1 h", 72 * time.Hour: "in 3 days",
	} {
		if got := settings.Relative(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 ms", 300 * time.Microsecond: "0.3 ms", 42 * time.Millisecond: "42 ms", 1500 * time.Millisecond: "1.50 s", 30 * time.Second: "30.0 s", 5 * time.Minute: "5m",
	} {
		if got := settings.Took(webhook.Duration(d)); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestNumbersAsPagesTellThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := settings.CountText(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for _, tt := range []struct {
		part, whole int64
		want        string
	}{
		{0, 0, ""}, {0, 7, "0 %"}, {7, 7, "100 %"}, {1, 3, "33.3 %"}, {999_999, 1_000_000, "99.9 %"}, // one failure is not none
	} {
		if got := settings.Share(tt.part, tt.whole); got != tt.want {
			t.Errorf("%d of %d is %q, want %q", tt.part, tt.whole, got, tt.want)
		}
	}
	for n, want := range map[int64]int64{0: 2, 1: 2, 3: 4, 7: 10, 11: 20, 99: 100, 101: 200, 1 << 62: 1 << 62} {
		if got := settings.NiceTop(n); got != want {
			t.Errorf("a chart of %d goes up to %d, want %d", n, got, want)
		}
	}
}

func TestTextsThatCannotBeSeen(t *testing.T) {
	for in, want := range map[string]string{
		"plain\n\ttext, ümlaut 日本": "plain\n\ttext, ümlaut 日本",
		"a\u202eb\u2066c\u200bd":   `a\u202eb\u2066c\u200bd`,
		"\x00\x1b[0m\x7f\u0085":    `\u0000\u001b[0m\u007f\u0085`,
		"\xff":                     "\ufffd",
	} {
		if got := settings.Visible(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	long := strings.Repeat("ä", 100)
	if got := settings.Shortened(long, 40); len(got) > 44 || !utf8.ValidString(got) || !strings.Contains(got, "…") {
		t.Errorf("it is cut to %q", got)
	}
}

// TestBodiesStaySmall guards that whatever an endpoint answers, no more than so
// many bytes of HTML come of it, and that JSON is still told from text.
func TestBodiesStaySmall(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 16<<10)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for _, tt := range []struct {
		name, body, kind string
		cut              bool
	}{
		{"JSON", `{"a":[1,{"b":"c"}]}`, "JSON", false},
		{"a number", "17", "Text", false},
		{"broken JSON", `{"a":`, "Text", false},
		{"text", "busy", "Text", false},
		{"a character in part", "d\xc3", "Text", false},
		{"binary", "\x89PNG\x00\xff", "Binary", false},
		{"noise", string(noise), "Binary", true},
		{"brackets", strings.Repeat("<", 16<<10), "Text", true},
		{"quotes", `["` + strings.Repeat(`\"`, 5<<10) + `"]`, "JSON", true},
		{"deep", strings.Repeat("[", 8<<10) + strings.Repeat("]", 8<<10), "Text", true},
		{"wide", "[" + strings.Repeat("1,", 8<<10) + "1]", "Text", true},
		{"deep in part", strings.Repeat("[", 60) + strings.Repeat("1,", 4<<10) + "1" + strings.Repeat("]", 60), "Text", false},
		{"nothing to see", strings.Repeat("\u202e", 4<<10), "Text", true},
	} {
		text, kind, cut := settings.ShownText([]byte(tt.body), settings.MaxShown)
		if kind != tt.kind || cut != tt.cut {
			t.Errorf("%s is shown as %s, cut: %v", tt.name, kind, cut)
		}
		if n := len(html.EscapeString(text)); n > settings.MaxShown {
			t.Errorf("%s makes %d bytes", tt.name, n)
		}
		if !utf8.ValidString(text) {
			t.Errorf("%s is not UTF-8", tt.name)
		}
	}
	if text, _, _ := settings.ShownText([]byte(`{"b":1e400,"a":"<"}`), 1000); text != "{\n  \"b\": 1e400,\n  \"a\": \"<\"\n}" {
		t.Errorf("JSON is indented as %s", text)
	}
}

// TestEventsThatOthersCover guards that of a group and a type in it the group
// is kept.
func TestEventsThatOthersCover(t *testing.T) {
	for _, tt := range []struct {
		ticked []string
		others string
		want   []string
	}{
		{nil, "", nil},
		{[]string{"a.b", "a.*", "c.d"}, "", []string{"a.*", "c.d"}},
		{[]string{"*", "a.*", "c.d"}, "e.f", []string{"*"}},
		{[]string{"a.b"}, " a.b \n\nx.y.*\nx.*", []string{"a.b", "x.*"}},
		{[]string{"a.*"}, "a", []string{"a.*", "a"}}, // which it does not cover
		{[]string{"a.*"}, "No Pattern", []string{"a.*", "No Pattern"}},
	} {
		if diff := cmp.Diff(tt.want, settings.ChosenEvents(tt.ticked, tt.others)); diff != "" {
			t.Errorf("of %q and %q are chosen (-want +got):\n%s", tt.ticked, tt.others, diff)
		}
	}
}

// TestCurlCommandsRunAsTheyAre guards that nothing in a request ends the quotes
// of a shell.
func TestCurlCommandsRunAsTheyAre(t *testing.T) {
	got := settings.Curl(&sender.TestRequest{Method: "POST", URL: "https://example.com/?a=$(id)", Headers: map[string][]string{"X-A": {"it's"}}, Body: "{\"a\":\"'; rm -rf ~\"}"})
	want := "curl -g -i -X POST 'https://example.com/?a=$(id)' \\\n  -H 'X-A: it'\\''s' \\\n  --data-binary '{\"a\":\"'\\''; rm -rf ~\"}'"
	if got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
}
