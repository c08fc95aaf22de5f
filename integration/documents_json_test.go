package integration

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// configStructs are the types whose fields docs/json.md lists, by the folder of
// their package.
var configStructs = map[string][]string{
	"../caddymodule/redis": {"Redis", "TLS", "Sentinel"},
	"../caddymodule":       {"App", "SQLite", "Publish", "PublishEvent", "Settings", "Receive"},
	"../signer":            {"Config"},
	"../sender":            {"Config", "Endpoint", "Egress"},
	"../receiver":          {"Config", "SourceRate", "Dedupe", "Template", "Place"},
	"../webhook":           {"EventType", "Rate"},
}

// TestDocumentedJSON keeps the tables of docs/json.md in step with the doc
// comments of the configuration's fields. To write them anew:
//
//	go test ./integration -run TestDocumentedJSON -update
func TestDocumentedJSON(t *testing.T) {
	tables := make(map[string]string)
	for dir, names := range configStructs {
		for _, name := range names {
			tables[filepath.Base(dir)+"."+name] = fieldTable(t, dir, name)
		}
	}
	generated := regexp.MustCompile(`(?s)(<!-- fields of ([\w.]+) -->\n).*?(<!-- end -->)`)
	got := readFile(t, "../docs/json.md")
	seen := make(map[string]bool)
	want := generated.ReplaceAllStringFunc(got, func(s string) string {
		m := generated.FindStringSubmatch(s)
		seen[m[2]] = true
		table, known := tables[m[2]]
		if !known {
			t.Errorf("docs/json.md lists the fields of %s, which is no type of the configuration", m[2])
		}
		return m[1] + table + m[3]
	})
	for name := range tables {
		if !seen[name] {
			t.Errorf("docs/json.md does not list the fields of %s", name)
		}
	}
	if *update {
		writeFile(t, filepath.Join("..", "docs", "json.md"), want)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/json.md is not in step with the doc comments; write it anew with -update (-want +got):\n%s", diff)
	}
}

// fieldTable is a table of the JSON fields of a struct.
func fieldTable(t *testing.T, dir, name string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		object := parsed.Scope.Lookup(name)
		if object == nil || object.Kind != ast.Typ {
			continue
		}
		if spec, ok := object.Decl.(*ast.TypeSpec); ok {
			if fields, ok := spec.Type.(*ast.StructType); ok {
				return rowsOf(fields)
			}
		}
	}
	t.Fatalf("there is no struct %s in %s", name, dir)
	return ""
}

// rowsOf are the rows of a struct's fields that have a name in JSON.
func rowsOf(fields *ast.StructType) string {
	var b strings.Builder
	b.WriteString("| field | type | meaning |\n|---|---|---|\n")
	for _, f := range fields.Fields.List {
		if f.Tag == nil {
			continue
		}
		name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, jsonType(f.Type), asCell(f.Doc.Text()))
	}
	return b.String()
}

// jsonType is how a Go type is written in JSON.
func jsonType(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return jsonType(e.X)
	case *ast.ArrayType:
		return "array of " + plural(jsonType(e.Elt))
	case *ast.MapType:
		return "object of " + plural(jsonType(e.Value))
	case *ast.SelectorExpr:
		return jsonType(e.Sel)
	case *ast.Ident:
		switch e.Name {
		case "bool":
			return "boolean"
		case "int", "int64", "float64":
			return "number"
		case "RawMessage":
			return "object"
		case "string", "Format", "OnError":
			return "string"
		case "Duration":
			return "duration"
		}
		return "[" + strings.ToLower(e.Name) + "](#" + strings.ToLower(e.Name) + ")"
	}
	return "object"
}

func plural(s string) string {
	if strings.HasPrefix(s, "[") {
		return s
	}
	return s + "s"
}

// docLink is a link to another identifier in a doc comment.
var docLink = regexp.MustCompile(`\[([A-Za-z.]+)\]`)

// asCell is a doc comment as a cell of a table.
func asCell(doc string) string {
	s := strings.Join(strings.Fields(doc), " ")
	s = docLink.ReplaceAllString(s, "`$1`")
	return strings.ReplaceAll(s, "|", "\\|")
}
