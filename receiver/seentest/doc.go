// Package seentest has the tests that every [receiver.Seen] must pass.
package seentest
