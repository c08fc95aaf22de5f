package caddyproc

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// racing is a program with a race.
const racing = `package main

func main() {
	n, done := 0, make(chan bool)
	go func() { n++; close(done) }()
	n++
	<-done
}
`

// TestRaces: a race that a program sees fails whatever it is run for, also when
// that has seen nothing wrong.
func TestRaces(t *testing.T) {
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte(racing), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "racing")
	if err := Build(t.Context(), program, source, true); err != nil {
		t.Fatal(err)
	}
	err := InFolder(t.Context(), program, true, func(program, folder string) error {
		p := &Process{Home: filepath.Join(folder, "below")}
		if err := os.Mkdir(p.Home, 0o700); err != nil {
			return err
		}
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Env = p.Environ()
		if err := cmd.Run(); !errors.As(err, new(*exec.ExitError)) {
			t.Errorf("a program with a race: %v", err)
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "DATA RACE") {
		t.Errorf("error %v, want the race", err)
	}
}
