//go:build unix

package receiver

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNotionTokenOnAFullDisk guards that a token which could not be written can be
// sent again: a file that was left behind, with half of it or nothing, would be
// taken for the one that is there already. Files of this process must not grow,
// so it is one of its own.
func TestNotionTokenOnAFullDisk(t *testing.T) {
	const alone = "WEBHOOKS_TEST_FULL_DISK"
	if os.Getenv(alone) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), alone+"=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "token")
	b := greetingBench(t, notionToken, map[string]string{"verification_file": path})
	post := func() error {
		_, err := b.send(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"verification_token":"secret_tMr"}`)))
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	var room syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &room); err != nil {
		t.Fatal(err)
	}
	full := room
	full.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	if post() == nil {
		t.Error("the token was taken, and is not in the file")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &room); err != nil {
		t.Fatal(err)
	}
	if err := post(); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "secret_tMr\n" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}
