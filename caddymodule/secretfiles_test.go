package caddymodule

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSecretsAreTriedAgain guards that a secret which could not be used or read
// when its file changed is taken as soon as it can be, although the file is not
// changed once more: giving somebody the right to read a file leaves its time and
// its size as they are.
func TestSecretsAreTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	written := []string{"{file." + path + "}"}
	age := 10 * time.Hour
	write := func(secret string, mode os.FileMode) {
		t.Helper()
		age -= time.Hour // long ago, so that the file does not count as new
		at := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, []byte(secret), 0o600), os.Chtimes(path, at, at), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write("one", 0o600)
	files := newSecretFiles(written)
	var log strings.Builder
	inForce := []string{"one"}
	var refused error
	read := func() {
		inForce = files.readAgain(written, inForce, func([]string) error { return refused }, slog.New(slog.NewTextHandler(&log, nil)), slog.String("receiver", "x"))
	}
	check := func(want string) {
		t.Helper()
		if !slices.Equal(inForce, []string{want}) {
			t.Fatalf("in force is %q, want %s", inForce, want)
		}
	}

	write("two", 0o600)
	refused = errors.New("it cannot be used now")
	read()
	read()
	check("one")
	if n := strings.Count(log.String(), "cannot be read again"); n != 1 {
		t.Errorf("that it failed was logged %d times:\n%s", n, log.String())
	}
	refused = nil
	read()
	check("two")

	write("three", 0o000) // which does not keep root from reading it
	read()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	read()
	check("three")
}
