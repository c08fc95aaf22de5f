package settings_test

import (
	"bytes"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/manysends/caddy-webhooks/sender/settings"
)

// spec is the OpenAPI file, made ready to check requests and answers by. In it,
// what an answer may have is only what the file names.
type spec struct {
	doc        map[string]any
	compiler   *jsonschema.Compiler
	operations []*operation

	mu   sync.Mutex
	seen map[string]bool // operations with statuses that were answered
}

// operation is one operation of the file.
type operation struct {
	id, method, path string
	doc              map[string]any
	parameters       []map[string]any
}

func (o *operation) String() string { return o.method + " " + o.path }

// pathParameter is the name of the component that describes the ID in the path;
// empty when there is none.
func (o *operation) pathParameter() string {
	for _, p := range o.parameters {
		if p["in"] == "path" {
			return p["component"].(string)
		}
	}
	return ""
}

// hasQuery tells whether there is such a parameter of the query.
func (o *operation) hasQuery(name string) bool {
	return slices.ContainsFunc(o.parameters, func(p map[string]any) bool { return p["in"] == "query" && p["name"] == name })
}

// openAPI is the file, read once.
var openAPI = sync.OnceValue(func() *spec {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings.OpenAPI))
	if err != nil {
		panic(err)
	}
	s := &spec{doc: parsed.(map[string]any), compiler: jsonschema.NewCompiler(), seen: make(map[string]bool)}
	for path, item := range s.doc["paths"].(map[string]any) {
		item := item.(map[string]any)
		shared, _ := item["parameters"].([]any)
		for method, doc := range item {
			if method == "parameters" {
				continue
			}
			o := &operation{method: strings.ToUpper(method), path: path, doc: doc.(map[string]any)}
			o.id, _ = o.doc["operationId"].(string)
			own, _ := o.doc["parameters"].([]any)
			for _, p := range slices.Concat(shared, own) {
				o.parameters = append(o.parameters, s.resolve(p))
			}
			s.operations = append(s.operations, o)
		}
	}
	slices.SortFunc(s.operations, func(a, b *operation) int { return strings.Compare(a.String(), b.String()) })
	s.close()
	s.compiler.AssertFormat()
	if err := s.compiler.AddResource("openapi.json", s.doc); err != nil {
		panic(err)
	}
	return s
})

// resolve follows a reference, and notes where to in the member component.
func (s *spec) resolve(v any) map[string]any {
	m := v.(map[string]any)
	ref, ok := m["$ref"].(string)
	if !ok {
		return m
	}
	var at any = s.doc
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(map[string]any)[name]
	}
	found := maps.Clone(at.(map[string]any))
	found["component"] = ref[strings.LastIndex(ref, "/")+1:]
	found["ref"] = strings.TrimPrefix(ref, "#/")
	return found
}

// close has every schema refuse the members that it does not name.
func (s *spec) close() {
	components := s.doc["components"].(map[string]any)
	for _, schema := range components["schemas"].(map[string]any) {
		closeSchema(schema, true) // it is closed where it is referred to
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, child := range v {
				if name == "schema" {
					closeSchema(child, false)
				} else if name != "schemas" {
					walk(child)
				}
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(s.doc)
}

func closeSchema(v any, open bool) {
	schema, ok := v.(map[string]any)
	if !ok {
		return
	}
	_, refers := schema["$ref"]
	_, names := schema["properties"]
	_, joins := schema["allOf"]
	if (refers || names || joins) && !open {
		schema["unevaluatedProperties"] = false
	}
	for name, child := range schema {
		switch child := child.(type) {
		case map[string]any:
			switch name {
			case "properties":
				for _, property := range child {
					closeSchema(property, false)
				}
			case "items", "additionalProperties":
				closeSchema(child, false)
			}
		case []any:
			for _, part := range child {
				if name == "allOf" || name == "anyOf" {
					closeSchema(part, name == "allOf")
				}
			}
		}
	}
}

// schema compiles the schema at a place in the file.
func (s *spec) schema(t testing.TB, place ...string) *jsonschema.Schema {
	t.Helper()
	pointer := ""
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	for _, name := range place {
		pointer += "/" + escape.Replace(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	schema, err := s.compiler.Compile("openapi.json#" + pointer)
	if err != nil {
		t.Fatalf("the schema at %s: %v", pointer, err)
	}
	return schema
}

// find returns the operation that a request is for; nil when there is none.
func (s *spec) find(method, path string) *operation {
	path, _, _ = strings.Cut(path, "?")
	for _, o := range s.operations {
		if o.method == method && matches(o.path, path) {
			return o
		}
	}
	return nil
}

func matches(template, path string) bool {
	a, b := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(a, b, func(a, b string) bool { return a == b || strings.HasPrefix(a, "{") && b != "" })
}

// place is where an operation stands in the file.
func (o *operation) place(more ...string) []string {
	return append([]string{"paths", o.path, strings.ToLower(o.method)}, more...)
}

// checkAnswer checks an answer against the file.
func (s *spec) checkAnswer(t testing.TB, o *operation, status int, header http.Header, body []byte) {
	t.Helper()
	code := strconv.Itoa(status)
	described, ok := o.doc["responses"].(map[string]any)[code]
	if !ok {
		t.Errorf("%s answers %s, which is not in openapi.json: %s", o, code, body)
		return
	}
	s.mu.Lock()
	s.seen[o.id+" "+code] = true
	s.mu.Unlock()
	response := s.resolve(described)
	headers, _ := response["headers"].(map[string]any)
	for name, h := range headers {
		if s.resolve(h)["required"] == true && header.Get(name) == "" {
			t.Errorf("%s answers %s without the header %s", o, code, name)
		}
	}
	content, _ := response["content"].(map[string]any)
	if content == nil {
		if len(body) != 0 {
			t.Errorf("%s answers %s with a body: %s", o, code, body)
		}
		return
	}
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if content[media] == nil {
		t.Errorf("%s answers %s as %q, which is not in openapi.json", o, code, media)
		return
	}
	if !strings.HasSuffix(media, "json") {
		return
	}
	place := o.place("responses", code, "content", media, "schema")
	if ref, ok := response["ref"].(string); ok {
		place = append(strings.Split(ref, "/"), "content", media, "schema")
	}
	if err := validate(s.schema(t, place...), body); err != nil {
		t.Errorf("%s answers %s with %s\n%v", o, code, body, err)
	}
}

// checkBody checks a request's body against the file.
func (s *spec) checkBody(t testing.TB, o *operation, body string) error {
	t.Helper()
	if o.doc["requestBody"] == nil {
		return fmt.Errorf("%s takes no body", o)
	}
	return validate(s.schema(t, o.place("requestBody", "content", "application/json", "schema")...), []byte(body))
}

func validate(schema *jsonschema.Schema, body []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// TestOpenAPINamesTheRoutes holds the file and the routes together.
func TestOpenAPINamesTheRoutes(t *testing.T) {
	var described []string
	ids := make(map[string]bool)
	for _, o := range openAPI().operations {
		described = append(described, o.String())
		if o.id == "" || ids[o.id] {
			t.Errorf("%s: the operationId %q is missing or stands twice", o, o.id)
		}
		ids[o.id] = true
		if o.doc["summary"] == nil {
			t.Errorf("%s has no summary", o)
		}
		if strings.Contains(o.path, "{") != (o.pathParameter() != "") {
			t.Errorf("%s: the ID in the path is not described", o)
		}
	}
	served := settings.Routes()
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("openapi.json describes\n%s\nwhile the handler serves\n%s", strings.Join(described, "\n"), strings.Join(served, "\n"))
	}
}

// TestOpenAPIExamplesAreTrue guards the examples in the file: each is what its
// schema says.
func TestOpenAPIExamplesAreTrue(t *testing.T) {
	s := openAPI()
	examples := 0
	var walk func(v any, place []string)
	walk = func(v any, place []string) {
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		if example, ok := m["example"]; ok && m["schema"] != nil {
			examples++
			if err := s.schema(t, append(slices.Clone(place), "schema")...).Validate(example); err != nil {
				t.Errorf("the example at %s: %v", strings.Join(place, "/"), err)
			}
		}
		for name, child := range m {
			if name != "schemas" && name != "example" {
				walk(child, append(slices.Clone(place), name))
			}
		}
	}
	walk(s.doc, nil)
	if examples < 20 {
		t.Errorf("there are %d examples, want more", examples)
	}
}

// TestClosedSchemasNoticeUnknownMembers guards the other tests: an answer with
// a member that the file does not name is noticed, at every depth.
func TestClosedSchemasNoticeUnknownMembers(t *testing.T) {
	s := openAPI()
	const attempt = `{"number":1,"started_at":"2024-03-05T10:30:00Z","duration":"1ms","verdict":"retry","timings":{"dns":"1ms"%s}%s}`
	const detail = `{"id":"d","event_id":"e","event":"a.b","timestamp":"2024-03-05T10:30:00Z","endpoint":"p","status":"failed","attempts":1,"stored_at":"2024-03-05T10:30:00Z","data":{"any":1},"history":[%s]%s}`
	place := []string{"components", "responses", "Delivery", "content", "application/json", "schema"}
	const extra = `,"x":1`
	for name, tt := range map[string]struct {
		body string
		ok   bool
	}{
		"as described":   {fmt.Sprintf(detail, fmt.Sprintf(attempt, "", ""), ""), true},
		"at the top":     {fmt.Sprintf(detail, fmt.Sprintf(attempt, "", ""), extra), false},
		"in a list":      {fmt.Sprintf(detail, fmt.Sprintf(attempt, "", extra), ""), false},
		"in its depths":  {fmt.Sprintf(detail, fmt.Sprintf(attempt, extra, ""), ""), false},
		"of a bad kind":  {strings.Replace(fmt.Sprintf(detail, "", ""), `"attempts":1`, `"attempts":"1"`, 1), false},
		"without a time": {strings.Replace(fmt.Sprintf(detail, "", ""), "2024-03-05T10:30:00Z", "now", 1), false},
	} {
		if err := validate(s.schema(t, place...), []byte(tt.body)); (err == nil) != tt.ok {
			t.Errorf("%s: %s: %v", name, tt.body, err)
		}
	}
}

// reportUnseen tells which answers in the file no test has got.
func (s *spec) reportUnseen() (unseen []string) {
	for _, o := range s.operations {
		for status := range o.doc["responses"].(map[string]any) {
			if !s.seen[o.id+" "+status] {
				unseen = append(unseen, o.String()+": "+status)
			}
		}
	}
	slices.Sort(unseen)
	for _, line := range unseen {
		fmt.Fprintln(os.Stderr, "openapi.json describes an answer that no test gets:", line)
	}
	return unseen
}
