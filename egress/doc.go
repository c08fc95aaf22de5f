// Package egress tells which addresses are not public, so that a program that
// connects to where others tell it to is not led to its own network (server-side
// request forgery).
package egress
