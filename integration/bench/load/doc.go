// Package load makes HTTP load and takes it in, in processes of their own that
// use as little as they can of the processor that is measured: requests are
// prepared beforehand and written to kept connections, answers and deliveries
// are read by the few bytes that matter. Every event carries its number and the
// time it was to be sent at, so that each is accounted for and none hides that
// it had to wait.
package load
