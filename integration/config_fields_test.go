package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/caddymodule"
	"github.com/manysends/caddy-webhooks/caddymodule/postgres"
	"github.com/manysends/caddy-webhooks/caddymodule/redis"
)

// module is the path that this module's packages begin with.
const module = "github.com/manysends/caddy-webhooks/"

// TestConfigFieldsAreDocumented goes through everything that the JSON of a
// configuration may hold. Each field has a name in snake case, may be left out,
// and says what it is; where that is a number, a size or a duration, also what
// holds without it. Caddy shows these comments as the documentation of the JSON.
func TestConfigFieldsAreDocumented(t *testing.T) {
	w := fieldWalk{t: t, docs: make(map[string]map[string]string), seen: make(map[reflect.Type]bool)}
	for _, config := range []any{
		caddymodule.App{}, caddymodule.SQLite{}, caddymodule.Publish{}, caddymodule.PublishEvent{}, caddymodule.Settings{},
		caddymodule.Receive{}, caddymodule.Sign{}, redis.Redis{}, postgres.Postgres{},
	} {
		w.walk(reflect.TypeOf(config))
	}
	if w.fields < 50 {
		t.Errorf("only %d fields were found", w.fields)
	}
}

// fieldWalk goes through the fields of types.
type fieldWalk struct {
	t      *testing.T
	docs   map[string]map[string]string // comments by package and then "Type.Field"
	seen   map[reflect.Type]bool
	fields int
}

// snakeCase is how members of JSON are called; "-" is for what is not in it.
var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

func (w *fieldWalk) walk(typ reflect.Type) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	folder, ours := strings.CutPrefix(typ.PkgPath(), module)
	if typ.Kind() != reflect.Struct || !ours || w.seen[typ] {
		return
	}
	w.seen[typ] = true
	for i := range typ.NumField() {
		f := typ.Field(i)
		if !f.IsExported() {
			continue
		}
		if f.Anonymous && f.Tag.Get("json") == "" {
			w.walk(f.Type)
			continue
		}
		w.fields++
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		called := typ.String() + "." + f.Name
		if !snakeCase.MatchString(name) {
			w.t.Errorf("%s is called %q in JSON: use snake case", called, name)
		}
		doc := w.doc(folder, typ.Name(), f.Name)
		required := strings.Contains(doc, "Required")
		if options != "omitempty" && options != "omitzero" && !required {
			w.t.Errorf("%s cannot be left out of the JSON, and its comment does not say that it is required", called)
		}
		switch {
		case doc == "":
			w.t.Errorf("%s has no comment", called)
		case isQuantity(f.Type) && !strings.Contains(doc, "Default") && !required:
			w.t.Errorf("%s does not say what its default is: %s", called, doc)
		}
		w.walk(f.Type)
	}
}

// isQuantity tells whether values of a type are numbers, or durations.
func isQuantity(typ reflect.Type) bool {
	switch typ.Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64:
		return true
	}
	return false
}

// doc is the comment of a field.
func (w *fieldWalk) doc(folder, typ, field string) string {
	if w.docs[folder] == nil {
		w.docs[folder] = fieldComments(w.t, filepath.Join("..", filepath.FromSlash(folder)))
	}
	return w.docs[folder][typ+"."+field]
}

// fieldComments are the comments of all fields of the structs in a folder.
func fieldComments(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	comments := make(map[string]string)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range structure.Fields.List {
				for _, name := range f.Names {
					comments[spec.Name.Name+"."+name.Name] = f.Doc.Text()
				}
			}
			return true
		})
	}
	return comments
}
