package integration

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// checkShell has the shell read a block without running it.
func checkShell(t *testing.T, b block) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "bash", "-n", "-c", b.text).CombinedOutput(); err != nil {
		t.Errorf("%s: the shell does not understand it: %v\n%s", b, err, out)
	}
}

// walk is a shell in a checkout of its own, in which the commands of a document
// are run in order. Where the document has a port that everybody uses, the
// shell has a free one.
type walk struct {
	t       *testing.T
	dir     string
	ports   *strings.Replacer
	shell   *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	servers []string // the files that servers print to
	n       int
}

// walkThrough follows a document: it writes its files, runs its commands, and
// looks for what they are said to print.
func walkThrough(t *testing.T, blocks []block) {
	for _, program := range []string{"bash", "curl", "jq", "openssl", "git"} {
		need(t, program)
	}
	w := newWalk(t)
	for _, b := range blocks {
		text := w.ports.Replace(b.text)
		switch {
		case b.value("file") != "":
			writeFile(t, filepath.Join(w.dir, b.value("file")), text)
		case b.language == "text":
			w.served(b, text)
		case b.language == "console":
			w.console(b, text)
		case b.has("serve"):
			w.serve(b, text)
		default:
			if out, status := w.run("set -e\n" + text + "set +e\n"); status != 0 {
				t.Fatalf("%s ends with %d:\n%s", b, status, out)
			}
		}
	}
}

// usedByDocuments are the ports that the documents use.
var usedByDocuments = []string{"2019", "3000", "8080", "8081", "8082", "8083"}

func newWalk(t *testing.T) *walk {
	t.Helper()
	caddyBinary, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	w := &walk{t: t, dir: filepath.Join(home, "caddy-webhooks")}
	var pairs []string
	admin := ""
	for _, port := range usedByDocuments {
		_, free, err := net.SplitHostPort(freeAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, ":"+port, ":"+free)
		if port == "2019" {
			admin = "localhost:" + free
		}
	}
	w.ports = strings.NewReplacer(pairs...)
	w.checkout()

	bin := filepath.Join(home, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(caddyBinary, filepath.Join(bin, "caddy")); err != nil {
		t.Fatal(err)
	}
	// On a terminal curl shows no progress beside a short answer.
	writeFile(t, filepath.Join(home, ".curlrc"), "silent\nshow-error\n")

	w.shell = exec.Command("bash", "--norc")
	w.shell.Dir = w.dir
	w.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	w.shell.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home+"/data", "XDG_CONFIG_HOME="+home+"/config",
		"PATH="+bin+":"+os.Getenv("PATH"), "CADDY_ADMIN="+admin, "NO_COLOR=1", "LC_ALL=C.UTF-8",
		"GOFLAGS=-trimpath -buildvcs=false -tags="+buildTags, "CGO_ENABLED=0", "GOWORK=off")
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		w.shell.Env = append(w.shell.Env, name+"="+goEnv(t, name))
	}
	out, err := w.shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.shell.Stderr = w.shell.Stdout
	if w.in, err = w.shell.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	w.out = bufio.NewReader(out)
	if err := w.shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	return w
}

// end ends the shell and whatever it has started.
func (w *walk) end() {
	_ = syscall.Kill(-w.shell.Process.Pid, syscall.SIGKILL)
	_ = w.shell.Wait()
	if !w.t.Failed() {
		return
	}
	for _, path := range w.servers {
		if text, err := os.ReadFile(path); err == nil {
			w.t.Logf("the server printed:\n%s", text)
		}
	}
}

// checkoutFiles are the files of the repository, as `git clone` would bring
// them if what is here had been committed.
var checkoutFiles = sync.OnceValues(func() ([]string, error) {
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the repository's files: %w", err)
	}
	return strings.Fields(string(out)), nil
})

// checkout copies the repository.
func (w *walk) checkout() {
	files, err := checkoutFiles()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join("..", name))
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if filepath.Ext(name) == ".example" {
			text = []byte(w.ports.Replace(string(text)))
		}
		writeFile(w.t, filepath.Join(w.dir, name), string(text))
	}
}

// goEnv is a setting of Go's.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// walkPatience is how long a command of a document may take. Some compile Caddy.
const walkPatience = 3 * time.Minute

// run runs commands in the shell, and returns what they print and the status of
// the last one.
func (w *walk) run(commands string) (out string, status int) {
	w.t.Helper()
	w.n++
	file := filepath.Join(filepath.Dir(w.dir), fmt.Sprintf("commands%d", w.n))
	writeFile(w.t, file, commands)
	mark := fmt.Sprintf("--- ended %d:", w.n)
	ctx, cancel := context.WithTimeout(w.t.Context(), walkPatience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-w.shell.Process.Pid, syscall.SIGKILL) })
	defer stop()
	if _, err := fmt.Fprintf(w.in, ". %s </dev/null; echo; echo '%s' $?\n", file, mark); err != nil {
		w.t.Fatal(err)
	}
	var printed bytes.Buffer
	for {
		line, err := w.out.ReadString('\n')
		if rest, ended := strings.CutPrefix(line, mark); ended {
			if _, err := fmt.Sscan(rest, &status); err != nil {
				w.t.Fatal(err)
			}
			return strings.TrimSuffix(printed.String(), "\n"), status
		}
		printed.WriteString(line)
		if err != nil {
			w.t.Fatalf("the shell has ended in\n%s\nand printed\n%s", commands, printed.String())
		}
	}
}

// serve starts a server and waits until it serves.
func (w *walk) serve(b block, text string) {
	w.t.Helper()
	w.n++
	name := filepath.Join(filepath.Dir(w.dir), fmt.Sprintf("server%d", w.n))
	writeFile(w.t, name+".sh", text)
	w.servers = append(w.servers, name+".log")
	const over = "the server has ended"
	if out, status := w.run(fmt.Sprintf("{ bash -e %s.sh; echo %s; } >%s.log 2>&1 &\n", name, over, name)); status != 0 {
		w.t.Fatalf("%s: %s", b, out)
	}
	ready := "serving initial configuration"
	if text := b.value("until"); text != "" {
		ready = text
	}
	waitUpTo(w.t, walkPatience, fmt.Sprintf("%s to serve", b), func() bool {
		if strings.Contains(w.printed(), over) {
			w.t.Fatalf("%s does not serve", b)
		}
		return strings.Contains(w.printed(), ready)
	})
}

// printed is what the last server has printed.
func (w *walk) printed() string {
	if len(w.servers) == 0 {
		return ""
	}
	text, err := os.ReadFile(w.servers[len(w.servers)-1])
	if err != nil {
		return ""
	}
	return string(text)
}

// served waits for the server to print the lines of a block.
func (w *walk) served(b block, text string) {
	w.t.Helper()
	for line := range strings.Lines(text) {
		want := regexp.MustCompile(pattern(strings.TrimSpace(line)))
		waitFor(w.t, fmt.Sprintf("%s: the server to print %q", b, line), func() bool { return want.MatchString(w.printed()) })
	}
}

// console runs the commands after "$ ", whose following lines begin with "> ",
// and compares what they print with what stands below them.
func (w *walk) console(b block, text string) {
	w.t.Helper()
	for _, part := range strings.Split("\n"+text, "\n$ ")[1:] {
		command, want, _ := strings.Cut(part, "\n")
		for {
			more, found := strings.CutPrefix(want, "> ")
			if !found {
				break
			}
			var line string
			line, want, _ = strings.Cut(more, "\n")
			command += "\n" + line
		}
		expected := regexp.MustCompile(`(?s)\A` + pattern(strings.TrimSpace(want)) + `\z`)
		matches := func() bool {
			out, _ := w.run(command + "\n")
			out = strings.TrimSpace(strings.ReplaceAll(out, "\r\n", "\n"))
			if expected.MatchString(out) {
				return true
			}
			if !b.has("eventually") {
				w.t.Fatalf("%s: %s\nprinted\n%s\nand not\n%s", b, command, out, want)
			}
			return false
		}
		waitFor(w.t, fmt.Sprintf("%s: %s to print\n%s", b, command, want), matches)
	}
}

// pattern is the regular expression for text in which "…" stands for anything.
func pattern(text string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(text), "…", ".*?")
}

// waitUpTo waits for a condition.
func waitUpTo(t *testing.T, patience time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("gave up waiting for %s", what)
}
