package integration

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// directives are the blocks that the parsers read, each with a Caddyfile in
// which a word stands that it does not know. Its error names those that it does.
var directives = []struct{ name, heading, source string }{
	{"webhooks", "webhooks", "{\n\twebhooks {\n\t\tnonsense\n\t}\n}\n"},
	{"postgres", "postgres", "{\n\twebhooks {\n\t\tstore postgres {env.DATABASE_URL} {\n\t\t\tnonsense\n\t\t}\n\t}\n}\n"},
	{"egress", "egress", "{\n\twebhooks {\n\t\tegress {\n\t\t\tnonsense\n\t\t}\n\t}\n}\n"},
	{"endpoint", "endpoint", "{\n\twebhooks {\n\t\tendpoint crm https://crm.example.com {\n\t\t\tnonsense\n\t\t}\n\t}\n}\n"},
	{"webhook_publish", "webhook_publish", ":80 {\n\twebhook_publish {\n\t\tnonsense\n\t}\n}\n"},
	{"webhook_publish of events", "events", "{\n\tevents {\n\t\ton cert_failed webhook_publish {\n\t\t\tnonsense\n\t\t}\n\t}\n\twebhooks\n}\n"},
	{"webhook_settings", "webhook_settings", ":80 {\n\twebhook_settings {\n\t\tnonsense\n\t}\n}\n"},
	{"webhook_sign", "webhook_sign", ":80 {\n\twebhook_sign github {\n\t\tnonsense\n\t}\n}\n"},
	{"webhook_receive", "webhook_receive", ":80 {\n\twebhook_receive github {\n\t\tnonsense\n\t}\n}\n"},
	{"dedupe", "dedupe", ":80 {\n\twebhook_receive github {\n\t\tdedupe 24h {\n\t\t\tnonsense\n\t\t}\n\t}\n}\n"},
	{"redis", "redis", ":80 {\n\twebhook_receive github {\n\t\tredis redis://localhost {\n\t\t\tnonsense\n\t\t}\n\t}\n}\n"},
	{"tls of redis", "tls of redis", ":80 {\n\twebhook_receive github {\n\t\tredis redis://localhost {\n\t\t\ttls {\n\t\t\t\tnonsense\n\t\t\t}\n\t\t}\n\t}\n}\n"},
	{"sentinel of redis", "sentinel of redis", ":80 {\n\twebhook_receive github {\n\t\tredis redis://localhost {\n\t\t\tsentinel main {\n\t\t\t\tnonsense\n\t\t\t}\n\t\t}\n\t}\n}\n"},
	{"template", "template", ":80 {\n\twebhook_receive custom {\n\t\ttemplate {\n\t\t\tnonsense\n\t\t}\n\t}\n}\n"},
	{"signature", "places", ":80 {\n\twebhook_receive custom {\n\t\ttemplate {\n\t\t\tsignature header X-Signature {\n\t\t\t\tnonsense\n\t\t\t}\n\t\t}\n\t}\n}\n"},
}

// TestDocumentedWords compares docs/caddyfile.md with the parsers: the section of
// each directive has a row for each word that is understood, and none for any
// other.
func TestDocumentedWords(t *testing.T) {
	sections := strings.Split("\n"+readFile(t, "../docs/caddyfile.md"), "\n## ")
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)[^`]*` \\|")
	known := regexp.MustCompile(`does not understand "nonsense": use one of ([a-z_, ]+), at `)
	for _, d := range directives {
		m := known.FindStringSubmatch(adapt(t, d.source))
		if m == nil {
			t.Errorf("%s does not refuse a word that it does not know: %s", d.name, adapt(t, d.source))
			continue
		}
		words := strings.Split(strings.TrimSpace(m[1]), ", ")
		section := ""
		for _, s := range sections {
			if heading, _, _ := strings.Cut(s, "\n"); strings.Trim(heading, "`") == d.heading {
				section = s
			}
		}
		var documented []string
		_, table, _ := strings.Cut(section, "\n| word |")
		for _, m := range row.FindAllStringSubmatch(table, -1) {
			documented = append(documented, m[1])
		}
		for _, word := range words {
			if !slices.Contains(documented, word) {
				t.Errorf("docs/caddyfile.md: the section %s has no row for %s", d.heading, word)
			}
		}
		for _, word := range documented {
			if !slices.Contains(words, word) {
				t.Errorf("docs/caddyfile.md: the section %s has a row for %s, which is not understood", d.heading, word)
			}
		}
	}
}

// TestDocumentedCommands compares docs/commands.md with `caddy webhooks`: each
// command has a section, and each flag that the documents use is one of it.
func TestDocumentedCommands(t *testing.T) {
	c := newCaddy(t)
	help := func(args ...string) string {
		out, err := c.command(append(append([]string{"webhooks"}, args...), "--help")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	commands := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+)  +[A-Z]`).FindAllStringSubmatch(help(), -1) {
		commands[m[1]] = help(m[1])
	}
	if len(commands) < 2 {
		t.Fatalf("no commands found: %s", help())
	}
	page := readFile(t, "../docs/commands.md")
	for name := range commands {
		if !strings.Contains(page, "\n### "+name+"\n") {
			t.Errorf("docs/commands.md has no section for %s", name)
		}
	}
	used := regexp.MustCompile("caddy webhooks ([a-z]+)([^\n`|]*)")
	flag := regexp.MustCompile(`\s--([a-z-]+)`)
	for _, document := range documents(t) {
		for _, m := range used.FindAllStringSubmatch(readFile(t, document), -1) {
			text, known := commands[m[1]]
			if !known {
				t.Errorf("%s has caddy webhooks %s, which there is not", document, m[1])
				continue
			}
			for _, f := range flag.FindAllStringSubmatch(m[2], -1) {
				if !strings.Contains(text, "--"+f[1]) {
					t.Errorf("%s: caddy webhooks %s has no flag --%s", document, m[1], f[1])
				}
			}
		}
	}
}
