package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	claimRow    = regexp.MustCompile(`(?m)^\| S(\d+) \| (.+) \| ([^|]+) \|$`)
	surfaceRow  = regexp.MustCompile(`(?m)^\| [^|]+ \| [^|]+ \| (S[S\d–, ]*) \|$`)
	provingTest = regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)`")
)

// TestSecurityClaimsAreProved: every claim in SECURITY.md names tests that are
// there, they are numbered one after the other, and each belongs to a surface.
func TestSecurityClaimsAreProved(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string]map[string]bool)
	claims := claimRow.FindAllStringSubmatch(string(text), -1)
	for i, m := range claims {
		if want := strconv.Itoa(i + 1); m[1] != want {
			t.Errorf("claim S%s stands where S%s should", m[1], want)
		}
		proofs := provingTest.FindAllStringSubmatch(m[3], -1)
		if len(proofs) == 0 || strings.Count(m[3], "`") != 2*len(proofs) {
			t.Errorf("S%s is proved by %q: name tests as `folder.TestName`", m[1], m[3])
		}
		for _, p := range proofs {
			if tests[p[1]] == nil {
				tests[p[1]] = testsIn(t, p[1])
			}
			if !tests[p[1]][p[2]] {
				t.Errorf("S%s: there is no %s in %s", m[1], p[2], p[1])
			}
		}
	}
	if len(claims) < 50 {
		t.Errorf("%d claims were found, want those that there are", len(claims))
	}

	named := make(map[int]bool)
	for _, row := range surfaceRow.FindAllStringSubmatch(string(text), -1) {
		for part := range strings.SplitSeq(row[1], ", ") {
			first, last, isRange := strings.Cut(part, "–")
			from := claimNumber(t, first)
			to := from
			if isRange {
				to = claimNumber(t, last)
			}
			for n := from; n <= to; n++ {
				named[n] = true
			}
		}
	}
	for n := 1; n <= len(claims); n++ {
		if !named[n] {
			t.Errorf("S%d belongs to no surface", n)
		}
		delete(named, n)
	}
	for n := range named {
		t.Errorf("a surface names S%d, which is no claim", n)
	}
}

func claimNumber(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(s), "S"))
	if err != nil {
		t.Fatalf("%q is no claim", s)
	}
	return n
}

// testsIn are the tests, fuzz targets and benchmarks in a folder; that of the
// module itself is called caddywebhooks.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	if folder == "caddywebhooks" {
		folder = "."
	}
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("there are no tests in %s: %v", folder, err)
	}
	found := make(map[string]bool)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}
