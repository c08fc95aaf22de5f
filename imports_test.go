package caddywebhooks_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/manysends/caddy-webhooks"

// goPackage is what go list tells of a package.
type goPackage struct {
	ImportPath string
	Imports    []string // of the package itself
	Deps       []string // and of all that it imports, in turn
	// Imports of the package's tests.
	TestImports, XTestImports []string
	Incomplete                bool
}

// list runs go list, with the build tags that GOFLAGS brings along.
func list(t *testing.T, patterns ...string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,Deps,TestImports,XTestImports,Incomplete"}, patterns...)...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatalf("reading what go list wrote: %v", err)
		}
		packages = append(packages, p)
	}
}

// within tells whether a package is at path or below it.
func within(importPath, path string) bool {
	return importPath == path || strings.HasPrefix(importPath, path+"/")
}

// TestImportsPointOneWay guards the promise that webhook, sender, receiver and
// signer are for any Go program: they reach no package of Caddy, not even
// through others, and sender and receiver do not know each other.
func TestImportsPointOneWay(t *testing.T) {
	const caddy = "github.com/caddyserver"
	tests := []struct {
		folder    string
		forbidden []string
	}{
		{"diagnose", []string{caddy, module + "/sender", module + "/receiver", module + "/signer", module + "/caddymodule"}},
		{"webhook", []string{caddy, module + "/sender", module + "/receiver", module + "/signer", module + "/caddymodule"}},
		{"egress", []string{caddy, module + "/webhook", module + "/sender", module + "/receiver", module + "/caddymodule"}},
		{"sender", []string{caddy, module + "/receiver", module + "/signer", module + "/caddymodule"}},
		{"receiver", []string{caddy, module + "/sender", module + "/signer", module + "/caddymodule"}},
		{"signer", []string{caddy, module + "/sender", module + "/caddymodule"}},
	}
	for _, tt := range tests {
		t.Run(tt.folder, func(t *testing.T) {
			packages := list(t, module+"/"+tt.folder+"/...")
			if len(packages) == 0 {
				t.Fatal("go list names no packages")
			}
			for _, p := range packages {
				if p.Incomplete {
					t.Errorf("%s does not load", p.ImportPath)
				}
				for _, dep := range slices.Concat(p.Deps, p.TestImports, p.XTestImports) {
					for _, bad := range tt.forbidden {
						if within(dep, bad) {
							t.Errorf("%s reaches %s", p.ImportPath, dep)
						}
					}
				}
			}
		})
	}
}

// TestPluginReachesTheModules guards what makes `xcaddy build --with` of the
// module's root work: the root package exists and imports the Caddy modules.
func TestPluginReachesTheModules(t *testing.T) {
	packages := list(t, module)
	if len(packages) != 1 || !slices.Contains(packages[0].Imports, module+"/caddymodule") {
		t.Errorf("the root package does not import %s/caddymodule: %+v", module, packages)
	}
	// The same look-up must notice Caddy where it is.
	if len(packages) == 1 && !slices.Contains(packages[0].Deps, "github.com/caddyserver/caddy/v2") {
		t.Error("go list does not see Caddy behind the root package, so the other test sees nothing")
	}
}
