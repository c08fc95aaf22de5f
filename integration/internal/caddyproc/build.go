package caddyproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildTags are those that users build Caddy with.
const BuildTags = "nobadger,nomysql,nopgx"

// Package is the import path of the ready-made Caddy.
const Package = "github.com/manysends/caddy-webhooks/caddymodule/caddy"

// Build builds a main package of this module to the file at path, as releases
// are built, or with the race detector.
func Build(ctx context.Context, path, pkg string, race bool) error {
	args, cgo := []string{"build", "-tags", BuildTags, "-trimpath", "-o", path}, "CGO_ENABLED=0"
	if race {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...) //nolint:gosec // the caller says what is built
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// InFolder does something with a program in a folder of its own, which is
// removed afterwards. Without a program, Caddy is built. A race that the program
// sees is an error.
func InFolder(ctx context.Context, program string, race bool, do func(program, folder string) error) (err error) {
	folder, err := os.MkdirTemp("", "caddyproc-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if program == "" {
		program = filepath.Join(folder, "caddy")
		if err := Build(ctx, program, Package, race); err != nil {
			return err
		}
	}
	home := filepath.Join(folder, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	return errors.Join(do(program, home), races(home))
}
