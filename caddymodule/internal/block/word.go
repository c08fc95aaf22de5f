package block

import "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

// Word is a word of a block: its name, and what reads the rest of it.
type Word struct {
	name string
	read func(d *caddyfile.Dispenser) error
}

// Value is a word with one value, which set checks and keeps.
func Value(name string, set func(value string) error) Word {
	return Word{name, func(d *caddyfile.Dispenser) error {
		args, err := values(d, name+" needs exactly one value: put it into quotes if it has spaces", 1, 1)
		if err != nil {
			return err
		}
		if err := set(args[0]); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}}
}

// Text is a word with one value, which is kept as it stands.
func Text(name string, s *string) Word {
	return Value(name, func(value string) error {
		*s = value
		return nil
	})
}

// AnyNumber has no limit to how many values a word has.
const AnyNumber = -1

// Values is a word with at least so many values, and at most so many or
// AnyNumber; otherwise is the error when there are fewer or more.
func Values(name, otherwise string, least, most int, set func(values []string)) Word {
	return Word{name, func(d *caddyfile.Dispenser) error {
		args, err := values(d, otherwise, least, most)
		if err != nil {
			return err
		}
		set(args)
		return nil
	}}
}

// Block is a word with a block and nothing before it. What is understood in it
// is asked of open when the word stands there.
func Block(name string, open func() []Word) Word {
	return Word{name, func(d *caddyfile.Dispenser) error {
		if d.NextArg() {
			return d.Errf("%s takes no argument, found %q: put its settings into a block", name, d.Val())
		}
		return each(d, name, open())
	}}
}

// BlockOf is a word with one argument and a block. What is understood in it is
// asked of open when the word stands there; missing is the error when the
// argument is.
func BlockOf(name, missing string, open func(arg string) []Word) Word {
	return Word{name, func(d *caddyfile.Dispenser) error {
		arg, err := argument(d, missing)
		if err != nil {
			return err
		}
		return each(d, name, open(arg))
	}}
}

// values reads the values of a word, which takes no block.
func values(d *caddyfile.Dispenser, otherwise string, least, most int) ([]string, error) {
	word, args := d.Val(), d.RemainingArgs()
	if len(args) < least || most != AnyNumber && len(args) > most {
		return nil, d.Err(otherwise)
	}
	for _, arg := range args {
		if arg == "" {
			return nil, d.Errf("%s has an empty value: set it, or remove the line", word)
		}
	}
	return args, None(d, word)
}
