package main

import (
	"go/format"
	"strings"
	"testing"
)

// TestProgramsAreGo checks that the main files are Go, and import what they are
// named for.
func TestProgramsAreGo(t *testing.T) {
	for _, p := range []program{stock, withSQLite, withModule, withRedis, withPostgres, withAll, withModule.profiled(), withPostgres.profiled()} {
		source := p.source()
		if _, err := format.Source([]byte(source)); err != nil {
			t.Errorf("%s: %v\n%s", p.name, err, source)
			continue
		}
		if strings.Contains(source, module) != (len(p.imports) > 0) {
			t.Errorf("%s imports the modules: %v", p.name, len(p.imports) == 0)
		}
	}
}
