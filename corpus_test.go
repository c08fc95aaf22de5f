package caddywebhooks_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFuzzTargetsHaveInputs: beside every fuzz target there are inputs that have
// led it somewhere, so that each search, and each run of the tests, begins there.
func TestFuzzTargetsHaveInputs(t *testing.T) {
	targets := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			targets++
			folder := filepath.Join(filepath.Dir(path), "testdata", "fuzz", f.Name.Name)
			if inputs, err := os.ReadDir(folder); err != nil || len(inputs) == 0 {
				t.Errorf("%s: %s has no inputs: copy some from $(go env GOCACHE)/fuzz after a search", path, folder)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if targets < 30 {
		t.Errorf("%d fuzz targets were found, want those that there are", targets)
	}
}
