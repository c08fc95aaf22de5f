package command

import (
	"slices"

	"github.com/spf13/pflag"
)

// EmptyFlag is the name of a flag that was given an empty value, or several
// values of which one is empty; "" if there is none. Such a value mostly comes from
// a variable of the shell that is not set: to take it for none would have a command
// do more than was asked. Flags whose empty value means something are passed over.
func EmptyFlag(flags *pflag.FlagSet, meant ...string) string {
	name := ""
	flags.Visit(func(f *pflag.Flag) {
		empty := f.Value.String() == ""
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values := list.GetSlice()
			empty = len(values) == 0 || slices.Contains(values, "")
		}
		if empty && name == "" && !slices.Contains(meant, f.Name) {
			name = f.Name
		}
	})
	return name
}
