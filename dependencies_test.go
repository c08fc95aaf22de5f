package caddywebhooks_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// requirement is a module that this one requires itself.
type requirement struct{ Path, Version string }

// requirements are those in go.mod that are not indirect.
func requirements(t *testing.T) (list []requirement) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Require []struct {
			requirement
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Require {
		if !r.Indirect {
			list = append(list, r.requirement)
		}
	}
	if len(list) < 10 {
		t.Fatalf("go.mod requires %d modules: %v", len(list), list)
	}
	return list
}

// licences are those that a program under Apache-2.0 may be linked with; MPL-2.0
// is for tests alone.
var licences = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// TestDependenciesAreDocumented: docs/dependencies.md names each module that is
// required, as it is in go.mod, with its reason and its licence, and says right
// whether it is in what users build.
func TestDependenciesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string)
	var order []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|(.*)\\|$").FindAllStringSubmatch(string(text), -1) {
		cells := strings.Split(m[2], "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if rows[m[1]] != nil || len(cells) != 5 {
			t.Errorf("%s stands twice, or has %d cells", m[1], len(cells))
			continue
		}
		rows[m[1]], order = cells, append(order, m[1])
	}
	if !slices.IsSorted(order) {
		t.Error("the table is not in order")
	}
	inProduct := modulesOfProduct(t)
	for _, r := range requirements(t) {
		cells := rows[r.Path]
		if cells == nil {
			t.Errorf("%s %s is not in docs/dependencies.md: say what it is for, and its licence", r.Path, r.Version)
			continue
		}
		delete(rows, r.Path)
		version, released, licence, in, why := cells[0], cells[1], cells[2], cells[3], cells[4]
		if version != r.Version {
			t.Errorf("%s is documented as %s and required as %s: write the version, and when it was released", r.Path, version, r.Version)
		}
		if !regexp.MustCompile(`^20\d\d-\d\d-\d\d$`).MatchString(released) || why == "" {
			t.Errorf("%s: it is not said when it was released, or what it is for", r.Path)
		}
		product := slices.ContainsFunc(inProduct, func(path string) bool { return path == r.Path || strings.HasPrefix(path, r.Path+"/") })
		if want := map[bool]string{true: "product", false: "tests"}[product]; in != want {
			t.Errorf("%s is documented to be in %s, and is in %s", r.Path, in, want)
		}
		if !slices.Contains(licences, licence) && (product || licence != "MPL-2.0") {
			t.Errorf("%s has the licence %q, which is not one of %v", r.Path, licence, licences)
		}
	}
	for path := range rows {
		t.Errorf("%s is documented, and go.mod does not require it", path)
	}
}

// modulesOfProduct are the packages that those packages import themselves which
// users build.
func modulesOfProduct(t *testing.T) (paths []string) {
	t.Helper()
	for _, p := range list(t, "./...") {
		if !strings.HasPrefix(p.ImportPath, module+"/integration") && !isForTests(strings.TrimPrefix(p.ImportPath, module)+"/") {
			paths = append(paths, p.Imports...)
		}
	}
	return paths
}
