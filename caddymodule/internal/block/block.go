// Package block reads the blocks of modules in packages of their own from a
// Caddyfile: an argument, and words with values or with blocks of their own.
package block

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Parse reads a module's name, its one argument, and its block, in which each
// word may stand once. The errors of a word say where it stands; missing is the
// error when the argument is.
func Parse(d *caddyfile.Dispenser, missing string, words ...Word) (arg string, err error) {
	d.Next() // the module's name
	name := d.Val()
	if arg, err = argument(d, missing); err != nil {
		return "", err
	}
	return arg, each(d, name, words)
}

// argument reads the one argument of what has a block behind it.
func argument(d *caddyfile.Dispenser, missing string) (string, error) {
	name, args := d.Val(), d.RemainingArgs()
	switch {
	case len(args) == 0 || args[0] == "":
		return "", d.Err(missing)
	case len(args) > 1:
		return "", d.Errf("%s has an argument too many: put its settings into a block", name)
	}
	return args[0], nil
}

// each reads a block.
func each(d *caddyfile.Dispenser, block string, words []Word) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		i := slices.IndexFunc(words, func(w Word) bool { return w.name == name })
		if i < 0 {
			var names []string
			for _, w := range words {
				names = append(names, w.name)
			}
			return d.Errf("%s does not understand %q: use one of %s", block, name, strings.Join(names, ", "))
		}
		if seen[name] {
			return d.Errf("%s stands twice: keep one", name)
		}
		seen[name] = true
		if err := words[i].read(d); err != nil {
			return err
		}
	}
	return nil
}
