package integration

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	gocmp "github.com/google/go-cmp/cmp"
)

// wordBlock is a block of the Caddyfile with the words that it understands, each in
// one good form.
type wordBlock struct {
	name   string // as errors call it
	around string // a Caddyfile with %s where the block's lines go
	words  []word
}

// word is a word of a block.
type word struct {
	name string
	good string // its arguments, and its block if it needs one
	is   kind
}

// kind says what is true of a word, besides that it takes the arguments of its
// good form, no block, and may stand once.
type kind struct {
	list   bool // takes more arguments of the same kind
	alone  bool // may stand without an argument
	braces bool // takes a block
	again  bool // may stand twice, with the same arguments

	in string // where the block's lines go, if the word needs others around it than the block has
}

var (
	one  = kind{}
	none = kind{alone: true}
	list = kind{list: true}
)

// Where blocks are.
const (
	inOptions  = "{\n\twebhooks {\n%s\n\t}\n}\n"
	inEndpoint = "{\n\twebhooks {\n\t\tendpoint crm https://crm.example.com/hooks {\n%s\n\t\t}\n\t}\n}\n"
	inPostgres = "{\n\twebhooks {\n\t\tstore postgres {env.DATABASE_URL} {\n%s\n\t\t}\n\t}\n}\n"
	inEgress   = "{\n\twebhooks {\n\t\tegress {\n%s\n\t\t}\n\t}\n}\n"
	inPublish  = "{\n\twebhooks\n}\n\nlocalhost {\n\twebhook_publish {\n%s\n\t}\n}\n"
	inInbox    = "{\n\twebhooks\n}\n\nlocalhost {\n\twebhook_publish inbox.github {\n%s\n\t}\n}\n"
	inAnswers  = "{\n\twebhooks\n}\n\nlocalhost {\n\twebhook_publish {\n\t\tfrom_response\n%s\n\t}\n}\n"
	inEvents   = "{\n\twebhooks\n\tevents {\n\t\ton cert_obtained webhook_publish ops.certificate {\n%s\n\t\t}\n\t}\n}\n"
	inSign     = "localhost {\n\twebhook_sign custom {\n%s\n\t}\n}\n"
	inSettings = "{\n\twebhooks\n}\n\nlocalhost {\n\twebhook_settings {\n%s\n\t}\n}\n"
	inReceive  = "localhost {\n\twebhook_receive standard {\n%s\n\t}\n}\n"
	inRedis    = "localhost {\n\twebhook_receive standard {\n\t\tredis {env.REDIS_URL} {\n%s\n\t\t}\n\t}\n}\n"
	inTLS      = "localhost {\n\twebhook_receive standard {\n\t\tredis {env.REDIS_URL} {\n\t\t\ttls {\n%s\n\t\t\t}\n\t\t}\n\t}\n}\n"
	inSentinel = "localhost {\n\twebhook_receive standard {\n\t\tredis {env.REDIS_URL} {\n\t\t\tsentinel main {\n%s\n\t\t\t}\n\t\t}\n\t}\n}\n"
	inDedupe   = "localhost {\n\twebhook_receive standard {\n\t\tdedupe {\n%s\n\t\t}\n\t}\n}\n"
	inTemplate = "localhost {\n\twebhook_receive custom {\n\t\ttemplate {\n%s\n\t\t}\n\t}\n}\n"
	inPlace    = "localhost {\n\twebhook_receive custom {\n\t\ttemplate {\n\t\t\tNAME header X-Signature {\n%s\n\t\t\t}\n\t\t}\n\t}\n}\n"
)

// blocks are all blocks. A word that a parser learns is a line here.
var blocks = []wordBlock{
	{"webhooks", inOptions, []word{
		{"store", "sqlite /tmp/webhooks.db", kind{braces: true}}, // whose words are the store's
		{"event_types", "message.created", list},
		{"retry", "5s 5m", list},
		{"timeout", "20s", one},
		{"retention", "30d", one},
		{"disable_after", "5d", one},
		{"max_backlog", "1000", one},
		{"max_size", "1GiB", one},
		{"memory", "64MiB", one},
		{"encryption_key", "{env.KEY}", list},
		{"egress", "{\n\tallow_http\n}", kind{braces: true, alone: true}},
		{"endpoint", "crm https://crm.example.com/hooks", kind{braces: true}},
	}},
	{"postgres", inPostgres, []word{
		{"listen_url", "{env.LISTEN_URL}", one},
		{"schema", "hooks", one},
		{"lease", "20s", one},
		{"max_conns", "20", one},
	}},
	{"egress", inEgress, []word{
		{"allow", "10.0.0.0/8", kind{list: true, again: true}},
		{"allow_http", "", none},
		{"proxy", "http://proxy.internal:3128", one},
	}},
	{"endpoint", inEndpoint, []word{
		{"events", "message.created", list},
		{"filter", "`data.n > 1`", one},
		{"secret", "{env.SECRET}", list},
		{"tenant", "acme", one},
		{"description", "\"What it is for\"", one},
		{"format", "standard", one},
		{"rate", "100/s burst 200", one},
		{"concurrency", "8", one},
		{"ordering", "strict", one},
		{"header", "X-Source crm", one},
		{"retry", "5s 5m", list},
		{"timeout", "20s", one},
	}},
	{"webhook_publish", inPublish, []word{
		{"max_size", "2MiB", one},
		{"tenant", "acme", one},
		{"id", "{http.request.uuid}", kind{in: inInbox}},
		{"headers", "X-GitHub-*", kind{list: true, again: true, in: inInbox}},
		{"from_response", "", none},
		{"on_error", "pass", kind{in: inAnswers}},
	}},
	{"webhook_publish", inEvents, []word{
		{"tenant", "acme", one},
	}},
	{"webhook_sign", inSign, []word{
		{"secret", "{env.SECRET}", list},
		{"id", "{http.request.uuid}", one},
		{"key", "raw", one},
		{"url", "https://hooks.example.com/", one},
		{"max_size", "2MiB", one},
		{"template", "{\n\tsignature header X-Signature\n}", kind{braces: true}},
	}},
	{"webhook_settings", inSettings, []word{
		{"tenant", "acme", one},
		{"operator", "", none},
		{"read_only", "", none},
		{"max_endpoints", "100", one},
		{"prefix", "/settings/webhooks", one},
		{"trusted_origins", "https://app.example", list},
	}},
	{"webhook_receive", inReceive, []word{
		{"name", "hooks", one},
		{"secret", "{env.SECRET}", list},
		{"key", "raw", one},
		{"url", "https://hooks.example.com/", one},
		{"parameter", "verify_token {env.TOKEN}", one},
		{"template", "{\n\tsignature header X-Signature\n}", kind{braces: true}},
		{"handshake", "meta", one},
		{"enforce", "off", one},
		{"decompress", "on", one},
		{"max_size", "2MiB", one},
		{"tolerance", "5m", one},
		{"ip_rate", "100/s burst 200", one},
		{"rate", "50/s burst 100 by {client_ip}", kind{again: true}},
		{"headers", "", none},
		{"redis", "{env.REDIS_URL}", kind{braces: true}},
		{"dedupe", "24h", kind{alone: true, braces: true}},
	}},
	{"redis", inRedis, []word{
		{"prefix", "hooks", one},
		{"on_error", "allow", one},
		{"tls", "{\n\tca /etc/ssl/redis.pem\n}", kind{braces: true, alone: true}},
		{"sentinel", "main", kind{braces: true}},
	}},
	{"tls", inTLS, []word{
		{"ca", "/etc/ssl/redis.pem", list},
		{"client_certificate", "/etc/ssl/caddy.pem /etc/ssl/caddy.key", one},
		{"server_name", "redis.internal", one},
	}},
	{"sentinel", inSentinel, []word{
		{"username", "caddy", one},
		{"password", "{env.SENTINEL_PASSWORD}", one},
	}},
	{"dedupe", inDedupe, []word{
		{"wait", "10s", one},
		{"capacity", "1000", one},
		{"capacity_bytes", "1MiB", one},
		{"persist", "/tmp/hooks.seen", kind{alone: true}},
	}},
	{"template", inTemplate, []word{
		{"algorithm", "hmac-sha256", one},
		{"key", "raw", one},
		{"content", "\"{timestamp}.{body}\"", one},
		{"encoding", "hex", one},
		{"signature", "header X-Signature", kind{again: true, braces: true}},
		{"timestamp", "header X-Timestamp", kind{again: true, braces: true}},
		{"timestamp_format", "unix", one},
		{"id", "json event.id", kind{again: true, braces: true}},
		{"type", "query type", kind{again: true, braces: true}},
		{"distinguish", "json n", kind{again: true, braces: true}},
		{"body_unsigned", "", none},
	}},
	placeBlock("signature"), placeBlock("timestamp"), placeBlock("id"), placeBlock("type"), placeBlock("distinguish"),
}

func placeBlock(name string) wordBlock {
	return wordBlock{name, strings.Replace(inPlace, "NAME", name, 1), []word{
		{"prefix", "v1=", one},
		{"list", ",", one},
	}}
}

// adaptable tells what Caddy says of a Caddyfile; empty when it takes it.
func adaptable(source string) string {
	if _, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(source), map[string]any{"filename": "Caddyfile"}); err != nil {
		return err.Error()
	}
	return ""
}

// with puts lines into the block that a word of it stands in, and says on which
// line of the Caddyfile the last of them begins.
func (b wordBlock) with(w word, lines ...string) (source string, last int) {
	around := cmp.Or(w.is.in, b.around)
	before := strings.Count(around[:strings.Index(around, "%s")], "\n")
	all := strings.Join(lines, "\n")
	return fmt.Sprintf(around, all), before + 1 + strings.Count(all, "\n") - strings.Count(lines[len(lines)-1], "\n")
}

// TestBlocksAreComplete has every block name the words that it understands, as
// it does when it meets another one, and wants the same in the table.
func TestBlocksAreComplete(t *testing.T) {
	for _, b := range blocks {
		source, _ := b.with(word{}, "no_such_word")
		says := adaptable(source)
		_, after, found := strings.Cut(says, b.name+" does not understand \"no_such_word\": use one of ")
		if !found {
			t.Errorf("%s does not say that it does not understand a word: %s", b.name, says)
			continue
		}
		understood := strings.Split(strings.TrimSuffix(after[:strings.LastIndex(after, " at Caddyfile:")], ","), ", ")
		var names []string
		for _, w := range b.words {
			names = append(names, w.name)
		}
		if diff := gocmp.Diff(understood, names); diff != "" {
			t.Errorf("%s: understood (-) and in the table (+) differ:\n%s", b.name, diff)
		}
	}
}

// TestBadFormsAreRefused makes bad forms of every word and wants each refused,
// with the line of the Caddyfile that it is on and a sentence that says what to
// do. The good form is taken.
func TestBadFormsAreRefused(t *testing.T) {
	forms := 0
	for _, b := range blocks {
		for _, w := range b.words {
			t.Run(b.name+" "+w.name, func(t *testing.T) {
				good := strings.TrimSpace(w.name + " " + w.good)
				if source, _ := b.with(w, good); adaptable(source) != "" {
					t.Errorf("the good form is refused: %s\n%s", adaptable(source), source)
				}
				bad := w.badForms()
				for _, what := range slices.Sorted(maps.Keys(bad)) {
					source, line := b.with(w, bad[what]...)
					forms++
					mustBeRefused(t, what, source, line)
				}
			})
		}
	}
	t.Logf("%d bad forms", forms)
}

// badForms are the bad forms of a word, by what is wrong with them. Each is
// wrong in its last line.
func (w word) badForms() map[string][]string {
	good := strings.TrimSpace(w.name + " " + w.good)
	args, hasBlock := w.good, strings.Contains(w.good, "{\n")
	if hasBlock {
		args = ""
	}
	bad := make(map[string][]string)
	if !w.is.again {
		bad["twice"] = []string{good, good}
	}
	if !w.is.alone {
		bad["without an argument"] = []string{w.name}
	}
	if !w.is.list && !hasBlock {
		bad["an argument too many"] = []string{good + " surplus"}
	}
	if hasBlock {
		bad["an argument before the block"] = []string{w.name + " surplus " + w.good}
	}
	fields := arguments(args)
	for i := range fields {
		empty := slices.Clone(fields)
		empty[i] = `""`
		bad["argument "+strconv.Itoa(i+1)+" empty"] = []string{w.name + " " + strings.Join(empty, " ")}
	}
	if w.is.list {
		bad["an empty argument more"] = []string{good + ` ""`}
	}
	if w.is.braces {
		if !hasBlock {
			bad["an unknown word in its block"] = []string{good + " {\n\tno_such_word\n}"}
		}
	} else {
		bad["a block"] = []string{good + " {\n\tno_such_word\n}"}
		bad["an empty block"] = []string{good + " {\n}"}
	}
	return bad
}

// arguments splits the arguments of a word; those in quotes may have spaces.
func arguments(s string) []string {
	return regexp.MustCompile("\"[^\"]*\"|`[^`]*`|\\S+").FindAllString(s, -1)
}

// refusal is how an error looks: what is wrong, what to do, and where.
var refusal = regexp.MustCompile(`^(?:parsing caddyfile tokens for '\w+': )?(.+: .+), at Caddyfile:(\d+)`)

// mustBeRefused wants a Caddyfile refused for what is on a line, or in the block
// that begins there.
func mustBeRefused(t *testing.T, what, source string, line int) {
	t.Helper()
	says := adaptable(source)
	if says == "" {
		t.Errorf("%s: it is taken:\n%s", what, source)
		return
	}
	match := refusal.FindStringSubmatch(says)
	if match == nil {
		t.Errorf("%s: no sentence with a remedy and a line: %s", what, says)
		return
	}
	if at, _ := strconv.Atoi(match[2]); at < line || at > line+strings.Count(source, "\n") {
		t.Errorf("%s: it is on line %d, but: %s\n%s", what, line, says, source)
	}
	if !remedy.MatchString(match[1]) {
		t.Errorf("%s: it does not say what to do: %s", what, match[1])
	}
}

// remedy finds what an error says to do.
var remedy = regexp.MustCompile(`: (write|use|put|remove|set|keep|name|give|rename|say|merge|allow)\b`)

// TestBadDirectivesAreRefused: what is wrong before the block of a directive or
// an option.
func TestBadDirectivesAreRefused(t *testing.T) {
	const options = "{\n\twebhooks\n}\n\n"
	for _, tt := range []struct {
		source string
		line   int
	}{
		{"{\n\twebhooks surplus\n}\n", 2},
		{"{\n\twebhooks {\n\t}\n\twebhooks\n}\n", 4},
		{"{\n\twebhooks {\n\t\tstore\n\t}\n}\n", 3},
		{"{\n\twebhooks {\n\t\tstore \"\"\n\t}\n}\n", 3},
		{"{\n\twebhooks {\n\t\tstore no_such_store\n\t}\n}\n", 3},
		{"{\n\twebhooks {\n\t\tendpoint crm\n\t}\n}\n", 3},
		{"{\n\twebhooks {\n\t\tegress surplus\n\t}\n}\n", 3},
		{options + "localhost {\n\twebhook_publish * inbox.github surplus\n}\n", 6},
		{options + "localhost {\n\twebhook_publish * \"\"\n}\n", 6},
		{options + "localhost {\n\twebhook_publish {\n\t\ton_error pass\n\t}\n}\n", 6},
		{options + "localhost {\n\twebhook_publish {\n\t\tid a\n\t}\n}\n", 6},
		{options + "localhost {\n\twebhook_publish {\n\t\theaders X-Event\n\t}\n}\n", 6},
		{options + "localhost {\n\twebhook_publish inbox.github {\n\t\tfrom_response\n\t}\n}\n", 6},
		{"{\n\twebhooks\n\tevents {\n\t\ton cert_obtained webhook_publish \"\"\n\t}\n}\n", 4},
		{"{\n\twebhooks\n\tevents {\n\t\ton cert_obtained webhook_publish a.b surplus\n\t}\n}\n", 4},
		{"localhost {\n\twebhook_sign\n}\n", 2},
		{"localhost {\n\twebhook_sign \"\"\n}\n", 2},
		{"localhost {\n\twebhook_sign standard \"\"\n}\n", 2},
		{"localhost {\n\twebhook_sign standard {env.A} \"\"\n}\n", 2},
		{"localhost {\n\twebhook_sign standard {env.A} {\n\t\tsecret {env.B}\n\t}\n}\n", 3},
		{"localhost {\n\twebhook_sign custom {\n\t\ttemplate {\n\t\t}\n\t}\n}\n", 3},
		{options + "localhost {\n\twebhook_settings {\n\t\toperator\n\t\ttenant acme\n\t}\n}\n", 8},
		{options + "localhost {\n\twebhook_settings * surplus\n}\n", 6},
		{"localhost {\n\twebhook_receive\n}\n", 2},
		{"localhost {\n\twebhook_receive \"\"\n}\n", 2},
		{"localhost {\n\twebhook_receive standard surplus\n}\n", 2},
		{"localhost {\n\twebhook_receive standard {\n\t\tdedupe off {\n\t\t}\n\t}\n}\n", 3},
	} {
		mustBeRefused(t, tt.source, tt.source, tt.line)
	}
}
