package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// program is a Caddy that can be built.
type program struct {
	name    string
	imports []string
	uses    []string // packages that setup names
	setup   string   // what main does first
	symbols bool     // it keeps its tables, which profiles need
}

const module = "github.com/manysends/caddy-webhooks"

var (
	withModule   = program{name: "caddy", imports: []string{module + "/caddymodule"}}
	withRedis    = program{name: "caddy-redis", imports: []string{module + "/caddymodule", module + "/caddymodule/redis"}}
	withPostgres = program{name: "caddy-postgres", imports: []string{module + "/caddymodule", module + "/caddymodule/postgres"}}
	withAll      = program{name: "caddy-all", imports: []string{module + "/caddymodule", module + "/caddymodule/postgres", module + "/caddymodule/redis"}}
	stock        = program{name: "caddy-stock"}
	// withSQLite opens a database, so that what does so is linked.
	withSQLite = program{
		name: "caddy-sqlite", uses: []string{"zombiezen.com/go/sqlite"},
		setup: "if _, err := sqlite.OpenConn(\"\"); err != nil {\n\t\tpanic(err)\n\t}\n\t",
	}
)

// profiled is a program that notes who waits for whom as well.
func (p program) profiled() program {
	p.name += "-profiled"
	p.uses = append(slices.Clip(p.uses), "runtime")
	p.symbols = true
	p.setup = "runtime.SetMutexProfileFraction(10)\n\truntime.SetBlockProfileRate(10_000)\n\t" + p.setup
	return p
}

// source is the program's main file.
func (p program) source() string {
	var imports strings.Builder
	for _, path := range p.uses {
		fmt.Fprintf(&imports, "\t%q\n", path)
	}
	imports.WriteString("\tcaddycmd \"github.com/caddyserver/caddy/v2/cmd\"\n\t_ \"github.com/caddyserver/caddy/v2/modules/standard\"\n")
	for _, path := range p.imports {
		fmt.Fprintf(&imports, "\t_ %q\n", path)
	}
	return fmt.Sprintf("package main\n\nimport (\n%s)\n\nfunc main() {\n\t%scaddycmd.Main()\n}\n", imports.String(), p.setup)
}

// build builds a program with the flags of releases, in a folder, unless it is
// there, and returns its path.
func (b *bench) build(ctx context.Context, p program) (string, error) {
	path := filepath.Join(b.scratch, p.name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	source := path + ".go"
	if err := os.WriteFile(source, []byte(p.source()), 0o600); err != nil {
		return "", err
	}
	b.say("building %s", p.name)
	args := []string{"build", "-tags", "nobadger,nomysql,nopgx", "-trimpath", "-o", path}
	if !p.symbols {
		args = append(args, "-ldflags", "-s -w")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, source)...) //nolint:gosec // our own file
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", p.name, err, out)
	}
	return path, nil
}

// moduleRoot is the folder of the checkout.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("finding %s: %w: run this in a checkout of it", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}
