package caddywebhooks_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// eachSource reads the source of the packages that users build, but for what is
// there for tests.
func eachSource(t *testing.T, visit func(path string, file *ast.File)) {
	t.Helper()
	for _, folder := range []string{"webhook", "sender", "receiver", "signer", "diagnose", "caddymodule", "egress", "internal"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || isForTests(path) {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			visit(filepath.ToSlash(path), file)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// isForTests tells whether what is at a path serves nothing but tests.
func isForTests(path string) bool {
	for _, name := range []string{"storetest", "storedtest", "seentest", "postgrestest", "redistest", "snippets", "testdata"} {
		if strings.Contains(filepath.ToSlash(path), "/"+name+"/") {
			return true
		}
	}
	return false
}
