// Package stored has what the stores of this module have in common: the forms
// in which they keep what nobody searches for, and how they count.
package stored
