package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCaddyBuildsWithTheModule does what xcaddy does, with plain Go: a new main
// package that imports Caddy and this module by its root, built with the flags
// of Caddy's releases. The program must know the modules.
func TestCaddyBuildsWithTheModule(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string]string{
		"main.go": `package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/manysends/caddy-webhooks"
)

func main() { caddycmd.Main() }
`,
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(content)
	}
	// The same versions of everything else, so that nothing is downloaded.
	files["go.mod"] = strings.Replace(files["go.mod"], "module github.com/manysends/caddy-webhooks", "module caddy", 1) +
		"\nrequire github.com/manysends/caddy-webhooks v0.0.0\n\nreplace github.com/manysends/caddy-webhooks => " + root + "\n"
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("go", "build", "-mod=mod", "-tags", buildTags, "-trimpath", "-ldflags", "-s -w", "-o", "caddy", ".")
	modules := run(filepath.Join(dir, "caddy"), "list-modules")
	for _, want := range []string{"webhooks", "webhooks.stores.sqlite", "http.handlers.webhook_publish", "http.handlers.webhook_receive", "http.handlers.webhook_settings", "webhook_receivers", "admin.api.webhooks"} {
		if !strings.Contains("\n"+modules, "\n"+want+"\n") {
			t.Errorf("the program does not know the module %s:\n%s", want, modules)
		}
	}
}

// TestXcaddyIsDocumented guards the command line that users build with.
func TestXcaddyIsDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "xcaddy.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--with github.com/manysends/caddy-webhooks=.", "-tags " + buildTags} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("xcaddy.md does not have %s", want)
		}
	}
}

// TestModulesThatAreNotInTheReadyMadeCaddy: the word of a module that is not
// built in says how to get it.
func TestModulesThatAreNotInTheReadyMadeCaddy(t *testing.T) {
	for module, caddyfile := range map[string]func(admin string) string{
		"postgres": func(admin string) string { return postgresCaddyfile(admin, freeAddress(t), "") },
		"redis": func(admin string) string {
			return receiverCaddyfile(admin, freeAddress(t), "localhost:1", githubReceiver("redis {env.REDIS_URL}"))
		},
	} {
		c := newCaddy(t)
		out, err := c.validate(caddyfile(c.admin))
		if want := "build Caddy with github.com/manysends/caddy-webhooks/caddymodule/" + module + " as well"; err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: validate: %v, which must say %q:\n%s", module, err, want, out)
		}
	}
}
