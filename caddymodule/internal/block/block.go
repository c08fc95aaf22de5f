// Package block reads the blocks of modules in packages of their own from a
// Caddyfile: an argument, and settings of one value each.
package block

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Word is a setting: its name, and what is done with its value.
type Word struct {
	Name string
	Set  func(value string) error
}

// Parse reads a module's name, its one argument, and its block. The errors of a
// word say where it stands; missing is the error when the argument is.
func Parse(d *caddyfile.Dispenser, missing string, words ...Word) (arg string, err error) {
	d.Next() // the module's name
	name := d.Val()
	args := d.RemainingArgs()
	switch {
	case len(args) == 0 || args[0] == "":
		return "", d.Err(missing)
	case len(args) > 1:
		return "", d.Errf("%s has an argument too many: put its settings into a block", name)
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		i := slices.IndexFunc(words, func(w Word) bool { return w.Name == d.Val() })
		if i < 0 {
			var names []string
			for _, w := range words {
				names = append(names, w.Name)
			}
			return "", d.Errf("%s does not understand %q: use one of %s", name, d.Val(), strings.Join(names, ", "))
		}
		if seen[d.Val()] {
			return "", d.Errf("%s stands twice: keep one", d.Val())
		}
		seen[d.Val()] = true
		if err := parseWord(d, words[i]); err != nil {
			return "", err
		}
	}
	return args[0], nil
}

func parseWord(d *caddyfile.Dispenser, word Word) error {
	var value string
	if !d.AllArgs(&value) {
		return d.Errf("%s needs exactly one value: put it into quotes if it has spaces", word.Name)
	}
	if value == "" {
		return d.Errf("%s has an empty value: set it, or remove the line", word.Name)
	}
	line := d.Line()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		return d.Errf("%s takes no block, found %q: remove it", word.Name, d.Val())
	}
	if d.Line() != line { // the brace that closes it
		return d.Errf("%s takes no block: remove the braces", word.Name)
	}
	if err := word.Set(value); err != nil {
		return d.WrapErr(err)
	}
	return nil
}
