// Package command is what `caddy webhooks` does with a running Caddy: commands
// that ask its admin API and show the answers, as tables to people and as the
// API's own JSON to programs.
//
// What is shown was written by others in part: URLs, error texts, what an
// endpoint answered. None of it reaches the terminal unescaped.
package command
