package caddywebhooks_test

import (
	"go/ast"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// bounded says of every map that is kept in a structure or a variable what bounds
// it: "configuration" for what is read with it, "one request" and the like for what
// lives no longer, or a row of the table in SECURITY.md.
var bounded = map[string]string{
	"webhook: Catalogue.known":                    "configuration",
	"sender: directory.targets":                   "M7",
	"sender: directory.byTenant":                  "M7",
	"sender: guard.hosts":                         "configuration",
	"sender: lane.underway":                       "concurrency of the endpoint",
	"sender: metrics.commitOf":                    "the kinds of operations",
	"sender: metrics.endpointOf":                  "M7",
	"sender: Overview.Endpoints":                  "the states of endpoints",
	"sender: replays.byID":                        "M8",
	"sender: Sender.managed":                      "M7",
	"sender: Sender.lanes":                        "M7",
	"sender: Sender.unreadable":                   "M7",
	"sender/postgresstore: endpoints.number":      "M7",
	"sender/postgresstore: endpoints.id":          "M7",
	"sender/postgresstore: holds.held":            "M6",
	"sender/postgresstore: holds.lost":            "M6",
	"sender/postgresstore: notifier.messages":     "M13",
	"sender/postgresstore: watch.messages":        "M13",
	"sender/postgresstore: put.known":             "one batch",
	"sender/postgresstore: settle.pending":        "one batch",
	"sender/postgresstore: settle.freed":          "one batch",
	"sender/postgresstore: settle.grown":          "one batch",
	"sender/postgresstore: delivery.settled":      "one batch",
	"sender/postgresstore: copiedRows.pending":    "one batch",
	"sender/postgresstore: Store.statements":      "the statements in the source",
	"sender/postgresstore: Store.volume":          "the partitions, about one a day of retention",
	"internal/http1: pool.hosts":                  "M14",
	"sender/settings: endpointForm.Errors":        "one page",
	"sender/settings: kept.results":               "M9",
	"sender/settings: replayForm.Errors":          "one page",
	"sender/settings: rollups.days":               "M10",
	"sender/settings: secretDetail.Errors":        "one page",
	"sender/internal/stored: Counted.index":       "M12",
	"sender/sqlitestore: endpoints.byID":          "M7",
	"sender/sqlitestore: endpoints.byNumber":      "M7",
	"sender/sqlitestore: endpoints.pending":       "M7",
	"sender/sqlitestore: holds.held":              "M6",
	"sender/sqlitestore: purgeProgress.scopes":    "M11",
	"sender/sqlitestore: reader.names":            "M7",
	"sender: workset.set":                         "M7",
	"receiver: seenShard.held":                    "M1",
	"receiver: names.of":                          "M3",
	"receiver: greeted.parameters":                "configuration",
	"receiver: reply.header":                      "one answer",
	"receiver: limitShard.buckets":                "M4",
	"receiver: limitShard.overflow":               "M4",
	"receiver/redisseen: Memory.holds":            "M2",
	"receiver: schemeOptions.parameters":          "configuration",
	"receiver: keyCache.kept":                     "M5",
	"caddymodule/command: endpoint.Headers":       "one answer",
	"caddymodule/command: statusAnswer.Endpoints": "one answer",
	"caddymodule: openEngines":                    "configuration",
	"caddymodule: registries":                     "configuration",
	"caddymodule: PublishEvent.named":             "configuration",
}

// TestMapsAreBounded finds every map in the source that is kept, and wants to be
// told what bounds it. Those whose keys others choose are in the table of
// SECURITY.md.
func TestMapsAreBounded(t *testing.T) {
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^\| (M\d+) \|`).FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = false
	}
	if len(rows) == 0 {
		t.Error("SECURITY.md has no table of what grows")
	}
	used := make(map[string]bool)
	for _, name := range keptMaps(t) {
		bound := bounded[name]
		used[name] = true
		switch _, row := rows[bound]; {
		case bound == "":
			t.Errorf("%s: say in bounded what bounds it", name)
		case row:
			rows[bound] = true
		case regexp.MustCompile(`^M\d+$`).MatchString(bound):
			t.Errorf("%s: SECURITY.md has no row %s", name, bound)
		}
	}
	for name := range bounded {
		if !used[name] {
			t.Errorf("bounded has %s, which is in the source no more", name)
		}
	}
	for row, named := range rows {
		if !named {
			t.Errorf("SECURITY.md: no map belongs to row %s", row)
		}
	}
}

// keptMaps are the maps in structures and in variables of the packages that users
// build, as folder: structure.field.
func keptMaps(t *testing.T) (names []string) {
	t.Helper()
	eachSource(t, func(path string, file *ast.File) {
		for _, declaration := range file.Decls {
			names = append(names, mapsIn(filepath.ToSlash(filepath.Dir(path)), declaration)...)
		}
	})
	return names
}

// mapsIn are the maps in a declaration.
func mapsIn(folder string, declaration ast.Decl) (names []string) {
	general, ok := declaration.(*ast.GenDecl)
	if !ok {
		return nil
	}
	for _, spec := range general.Specs {
		switch spec := spec.(type) {
		case *ast.ValueSpec:
			if spec.Type != nil && isMap(spec.Type) {
				names = append(names, folder+": "+spec.Names[0].Name)
			}
		case *ast.TypeSpec:
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range structure.Fields.List {
				if isMap(field.Type) && (field.Tag == nil || !strings.Contains(field.Tag.Value, "json:")) {
					for _, name := range field.Names {
						names = append(names, folder+": "+spec.Name.Name+"."+name.Name)
					}
				}
			}
		}
	}
	return names
}

// isMap tells whether a type is a map, or one that holds some.
func isMap(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.MapType:
		return true
	case *ast.SelectorExpr:
		return types.ExprString(e) == "sync.Map"
	case *ast.ArrayType:
		return isMap(e.Elt)
	case *ast.StarExpr:
		return isMap(e.X)
	}
	return false
}
