// Package block reads blocks of a Caddyfile. [Each] hands out their words one by
// one; [Parse] reads that of a module in a package of its own from a list of
// words with values, or with blocks of their own.
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

// each reads a block of words.
func each(d *caddyfile.Dispenser, block string, words []Word) error {
	return Each(d, func(name string) error {
		i := slices.IndexFunc(words, func(w Word) bool { return w.name == name })
		if i < 0 {
			var names []string
			for _, w := range words {
				names = append(names, w.name)
			}
			return Unknown(d, block, names...)
		}
		return words[i].read(d)
	})
}

// Each calls parse for each line of a block, with its first word. A word that
// stands twice is refused, unless it may be repeated.
func Each(d *caddyfile.Dispenser, parse func(word string) error, repeatable ...string) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if seen[word] && !slices.Contains(repeatable, word) {
			return d.Errf("%s stands twice: keep one", word)
		}
		seen[word] = true
		if err := parse(word); err != nil {
			return err
		}
	}
	return nil
}

// Unknown refuses the current word and names those that are understood.
func Unknown(d *caddyfile.Dispenser, where string, words ...string) error {
	return d.Errf("%s does not understand %q: use one of %s", where, d.Val(), strings.Join(words, ", "))
}

// None refuses a block after a word that takes none, also an empty one.
func None(d *caddyfile.Dispenser, word string) error {
	line := d.Line()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		return d.Errf("%s takes no block, found %q: remove it", word, d.Val())
	}
	if d.Line() != line { // the brace that closes it
		return d.Errf("%s takes no block: remove the braces", word)
	}
	return nil
}
