// Package diagnose says why the signature of a webhook does not match.
//
// A signature is right or wrong, and a wrong one looks the same whatever the
// reason is. So this package makes the mistakes that people make, one after the
// other, until the signature of the request comes out: the body was written
// anew by a JSON parser, a line break was added to it, the secret was read as
// hex, the time was sent in milliseconds, and so on. What comes out is told in
// a sentence, together with what to do.
//
// [Standard] explains a request with the headers of Standard Webhooks, a [Rule]
// one that is signed in any other way, and [ParseRequest] reads a request that
// was captured as text.
//
// The work is bounded, however large or hostile a request is. No explanation
// holds a secret, or the signature that a request should have had. Nothing here
// decides whether a request is let in: only a signature that is right exactly
// as it was sent counts as verified.
package diagnose
