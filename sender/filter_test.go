package sender

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

// filteredData is what the filters of these tests are asked about.
const filteredData = `{"id":"conv_123","priority":"high","n":1,"big":9007199254740993,"huge":123456789012345678901234567890,` +
	`"price":1.5,"whole":2.0,"open":true,"closed":false,"nothing":null,"tags":["vip","eu"],"empty":[],"email":"ann@example.com",` +
	`"customer":{"name":"Ann","plan":"pro","a-b":1},"items":[{"sku":"a","n":2},{"sku":"b","n":5}],"text":"Grüße"}`

func matches(t *testing.T, expression, eventType, data string) bool {
	t.Helper()
	f, err := compileFilter(expression)
	if err != nil {
		t.Fatalf("compileFilter(%s): %v", expression, err)
	}
	return f.match(newFilterInput(&webhook.Event{Type: eventType, Data: []byte(data)}))
}

func TestFilterMatches(t *testing.T) {
	tests := []struct {
		expression string
		want       bool
	}{
		{``, true},
		{`true`, true},
		{`false`, false},
		{`event == "conversation.created"`, true},
		{`event.startsWith("message.")`, false},
		{`data.priority == "high"`, true},
		{`data.priority != "high"`, false},
		{`data["priority"] == "high"`, true},
		{`data.n == 1`, true},
		{`data.n == 1.0`, true},
		{`data.n > 0.5`, true},
		{`data.n > 1.5`, false},
		{`data.n < 1u + 1u`, true},
		{`data.price > 1`, true},
		{`data.price * 2.0 == 3.0`, true},
		{`data.whole == 2`, true},
		{`data.big == 9007199254740993`, true}, // a double would be off by one
		{`data.big == 9007199254740992`, false},
		{`data.huge > 1e29`, true},
		{`data.n + 1 == 2`, true},
		{`data.open`, true},
		{`!data.closed`, true},
		{`data.closed`, false},
		{`data.nothing == null`, true},
		{`data.priority == null`, false},
		{`has(data.customer.plan)`, true},
		{`has(data.customer.phone)`, false},
		{`has(data.customer.phone) && data.customer.phone == "1"`, false},
		{`!has(data.phone) || data.phone == "1"`, true},
		{`"vip" in data.tags`, true},
		{`"us" in data.tags`, false},
		{`"plan" in data.customer`, true},
		{`data.customer["a-b"] == 1`, true},
		{`data.priority in ["high", "urgent"]`, true},
		{`data.n in [-1, 0]`, false},
		{`data.tags == ["vip", "eu"]`, true},
		{`data.tags[0] == "vip"`, true},
		{`data.tags[7] == "vip"`, false},
		{`size(data.tags) == 2 && data.empty.size() == 0`, true},
		{`data.email.endsWith("@example.com")`, true},
		{`data.email.contains("@")`, true},
		{`data.id.matches("^conv_[0-9]{3}$")`, true},
		{`data.email.matches("^[a-z]+@example[.]com$")`, true},
		{`data.priority.upperAscii() == "HIGH"`, true},
		{`data.text.size() == 5 && data.text.substring(2, 4) == "üß"`, true},
		{`data.items.exists(i, i.sku == "b" && i.n > 4)`, true},
		{`data.items.all(i, i.n > 2)`, false},
		{`data.items.exists_one(i, i.n > 2)`, true},
		{`data.items.filter(i, i.n > 1).size() == 2`, true},
		{`data.items.exists(i, data.tags.exists(s, s == i.sku))`, false},
		{`data.?customer.?phone.orValue("") == ""`, true},
		{`data.n > 0 ? data.open : data.closed`, true},
		{`timestamp("2024-03-05T10:30:00Z") < timestamp("2025-01-01T00:00:00Z")`, true},

		// What cannot be worked out is a no, and what does not matter is not
		// worked out.
		{`data.missing == 1`, false},
		{`data.missing != 1`, false},
		{`!(data.missing == 1)`, false},
		{`data.customer.phone.startsWith("+")`, false},
		{`data.n.startsWith("1")`, false},
		{`data.priority > 1`, false},
		{`data.n / 0 == 1`, false},
		{`data.priority`, false}, // neither true nor false
		{`data.missing == 1 || data.n == 1`, true},
	}
	for _, test := range tests {
		if got := matches(t, test.expression, "conversation.created", filteredData); got != test.want {
			t.Errorf("%s = %t, want %t", test.expression, got, test.want)
		}
	}
}

// TestFilterData: data need not be an object, nor JSON.
func TestFilterData(t *testing.T) {
	tests := []struct {
		expression, data, contentType string
		want                          bool
	}{
		{`data == 5`, `5`, "", true},
		{`data == null`, `null`, "", true},
		{`data[1] == "b"`, `["a","b"]`, "application/json", true},
		{`data.a == 1`, `{"a":1}`, "application/cloudevents+json; charset=utf-8", true},
		{`data.a == 1`, `{"a":1`, "", false},
		{`data.a == 1`, ``, "", false},
		{`data == "x"`, `"x"`, "text/plain", false},
		{`data.a == 1`, ` {"a" : 1} `, "application/json", true},
		{`data.a == 2`, `{"a":1,"a":2}`, "application/json", false},
		{`data.a == 1`, `{"a":1} 2`, "application/json", false},
		{`event == "raw.came"`, "\xff\x00", "application/octet-stream", true},
		{`data.a == data.b`, `{"a":{"x":[1,{"y":null}]},"b":{"x":[1.0,{"y":null}]}}`, "", true},
	}
	for _, test := range tests {
		f, err := compileFilter(test.expression)
		if err != nil {
			t.Fatalf("compileFilter(%s): %v", test.expression, err)
		}
		in := newFilterInput(&webhook.Event{Type: "raw.came", Data: []byte(test.data), ContentType: test.contentType})
		if got := f.match(in); got != test.want {
			t.Errorf("%s of %s (%q) = %t, want %t", test.expression, test.data, test.contentType, got, test.want)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	tests := []struct {
		expression string
		want       string // what the error must hold
	}{
		{`data.a ==`, "at line 1, column 10: syntax error"},
		{`data.a = 1`, "at line 1, column 8: syntax error"},
		{"true &&\n  status == 1", "at line 2, column 3: 'status' is unknown"},
		{`id == "evt_1"`, "'id' is unknown"},
		{`event == 1`, "no matching overload for '_==_'"},
		{`nosuch(data)`, "'nosuch' is unknown"},
		{`event`, "its result is string and must be true or false"},
		{`size(event)`, "its result is int"},
		{`[true]`, "its result is list(bool)"},
		{`"` + strings.Repeat("x", maxFilterLength) + `" == event`, "at most 4096 are allowed"},
		{`data.email.matches("(")`, "at line 1, column 19: the pattern of matches is no regular expression"},
		{`data.email.matches("(a{1,100}b{1,100}){1,4}")`, "at line 1, column 19: the pattern of matches is too large"},
		{`data.email.matches(1)`, "no matching overload for 'matches'"},
		{`data.email.matches(data.pattern)`, "must be a text that stands in the filter"},
		{`matches(data.email, event)`, "must be a text that stands in the filter"},
		{`duration("soon") == duration("1s")`, "at line 1, column 10"},
		{`data.s.replace("", data.s) == "x"`, "at line 1, column 15: replace is not available"},
		{`data.s.split("").size() > 1`, "split is not available"},
		{`data.tags.join("x") == "x"`, "join is not available"},
		{`"%s".format([data]) == "x"`, "format is not available"},
		{`data.items.map(i, i.n) == [1]`, "'map' is unknown"},
		{`"x" in [data.a, data.b]`, "nothing but literals"},
		{`{"a": data} == data`, "maps are not available"},
		{`data` + strings.Repeat(` + data`, maxFilterSums+1) + ` == 1`, "more than 16 additions"},
		{`data.all(a, data.all(b, data.all(c, data.all(d, a == d))))`, "comprehension exceeds nesting limit"},
		{`data.all(a, data.all(b, data.all(c, a == c)))`, "too much work"},
		{strings.Repeat("(", 1000) + "true" + strings.Repeat(")", 1000), "nested too deeply"},
		{"\xff", "syntax error"},
	}
	for _, test := range tests {
		f, err := compileFilter(test.expression)
		if err == nil || f != nil {
			t.Errorf("compileFilter(%.60s) = %v, %v; want an error", test.expression, f, err)
			continue
		}
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("compileFilter(%.60s): %v; want it to hold %q", test.expression, err, test.want)
		}
		if strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 500 {
			t.Errorf("compileFilter(%.60s): the error is no short sentence: %q", test.expression, err)
		}
	}
}

// TestFilterCost: an event can be so large that a filter is too much work for
// it; that must be found out soon, and mean no.
func TestFilterCost(t *testing.T) {
	ones := "[" + strings.Repeat("1,", 60_000) + "1]"
	nested := strings.Repeat(`{"a":[`, 4000) + strings.Repeat(`]}`, 4000)
	long := `{"l":[` + strings.Repeat("1,", 4000) + `1],"m":{},"s":"` + strings.Repeat("a", 1<<20) + `"}`
	tests := []struct{ name, expression, data string }{
		{"the length of a text", `data.l.all(x, data.s.size() > 0)`, long},
		{"comparing a text", `data.l.all(x, data.s != "x")`, long},
		{"the beginning of a text", `data.l.all(x, "x".startsWith(data.s) || data.s.startsWith("a"))`, long},
		{"a text that is no time", `data.l.all(x, timestamp(data.s) > timestamp(0) || true)`, long},
		{"a text that is no number", `data.l.all(x, int(data.s) > 0 || double(data.s) > 0.0 || true)`, long},
		{"a text that is no duration", `data.l.all(x, duration(data.s) > duration("0s") || true)`, long},
		{"a text that is no member", `data.l.all(x, data.m[data.s] == 1 || data.s in data.m || true)`, long},
		{"adding to a text", `data.l.all(x, (data.s + data.s + data.s).size() > 0)`, long},
		{"looking a text up", `data.l.all(x, !(data.s in data.l))`, long},
		{"a loop", `data.all(x, x == 1)`, ones},
		{"a loop in a loop", `data.all(x, data.exists(y, y == 2))`, ones},
		{"comparisons of everything", `data.all(x, data == data)`, ones},
		{"looking up everything", `data.all(x, !(data in [[2]] || data in [[3]]))`, ones},
		{"sums of lists", `data + data + data + data == data + data + data + data`, ones},
		{"a deep value", `[1, 2, 3].all(x, data == data && data == data)` + strings.Repeat(` && data == data`, 20), nested},
		{"a regular expression", `data.matches("^(a|aa|b)*(c|d)*$") || data.matches("e$") || true`, `"` + strings.Repeat("a", 1<<20) + `"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if matches(t, test.expression, "a.b", test.data) {
				t.Errorf("%s says yes", test.expression)
			}
		})
	}
	if !matches(t, `data.s.size() == 1048576 && data.s != "b" && data.s.startsWith("aa") && data.l.size() > 4000`, "a.b", long) {
		t.Error("a cheap filter says no to a long text")
	}
	if !matches(t, `data != null && !(data == [1]) && size(data) > 5`, "a.b", ones) {
		t.Error("a cheap filter says no to a large event")
	}
}

// TestFilterConcurrently: one filter is used by all publishers, and one event
// may be looked at by several.
func TestFilterConcurrently(t *testing.T) {
	f, err := compileFilter(`data.items.exists(i, i.sku == "b") && data.email.matches("@example[.]com$")`)
	if err != nil {
		t.Fatal(err)
	}
	in := newFilterInput(&webhook.Event{Type: "a.b", Data: []byte(filteredData)})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if !f.match(in) {
					t.Error("the filter says no")
					return
				}
			}
		})
	}
	all.Wait()
}

// TestFilterInputIsLazy: events that no filter looks into are not decoded.
func TestFilterInputIsLazy(t *testing.T) {
	f, err := compileFilter(`event == "a.b"`)
	if err != nil {
		t.Fatal(err)
	}
	in := newFilterInput(&webhook.Event{Type: "a.b", Data: []byte(`{}`)})
	if !f.match(in) || in.data != nil {
		t.Errorf("after a filter on the type alone, data = %v", in.data)
	}
}

// FuzzFilter: whatever a filter says, compiling and asking it neither panics
// nor takes long.
func FuzzFilter(f *testing.F) {
	for _, expression := range []string{
		`data.priority == "high"`, `data.items.exists(i, i.n > 1.5)`, `data.email.matches("@example[.]com$")`,
		`data.?a.?b.orValue(1) == 1`, `data.all(a, data.all(b, a == b))`, `data + data == data`, `event in ["a", "b"]`,
		`timestamp(data.at) > timestamp("2024-01-01T00:00:00Z")`, `duration("1h") > duration(data.took)`,
		`data.tags[0].substring(1).charAt(0) == "i"`, `optional.of(data).optMap(d, d.n == 1).orValue(false)`,
		`bytes(data.s) == b"x" || string(data.n) == "1"`, `type(data) == map`, `has(data.a.b) ? true : dyn(1) == 1u`,
	} {
		f.Add(expression, filteredData)
	}
	f.Add(`data.x == 1`, `[[[[[]]]]]`)
	f.Add(`data == "\u0000"`, "\"\\u0000\"")
	f.Fuzz(func(t *testing.T, expression, data string) {
		c, err := compileFilter(expression)
		if err != nil {
			if c != nil || strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("compileFilter(%q) = %v, %q", expression, c, err)
			}
			return
		}
		if len(data) > 1<<16 {
			return
		}
		e := &webhook.Event{Type: "a.b", Data: []byte(data)}
		if one, two := c.match(newFilterInput(e)), c.match(newFilterInput(e)); one != two {
			t.Errorf("%q of %q is first %t, then %t", expression, data, one, two)
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	data := strings.TrimSuffix(filteredData, "}") + fmt.Sprintf(`,"body":%q,"lines":[1,2,3,4,5,6,7,8,9,10]}`, strings.Repeat("lorem ipsum ", 40))
	f, err := compileFilter(`data.priority == "high" && data.customer.plan in ["pro", "enterprise"] && data.items.exists(i, i.n > 4)`)
	if err != nil {
		b.Fatal(err)
	}
	e := &webhook.Event{Type: "conversation.created", Data: []byte(data)}
	b.Run(fmt.Sprintf("decode and match %d bytes", len(data)), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !f.match(newFilterInput(e)) {
				b.Fatal("the filter says no")
			}
		}
	})
	b.Run("match decoded", func(b *testing.B) {
		b.ReportAllocs()
		in := newFilterInput(e)
		for b.Loop() {
			if !f.match(in) {
				b.Fatal("the filter says no")
			}
		}
	})
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			if _, err := compileFilter(`data.priority == "high"`); err != nil {
				b.Fatal(err)
			}
		}
	})
}
