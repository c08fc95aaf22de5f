// Package webhook is what travels on the wire between a sender and a receiver
// of webhooks: the event and its envelope, event types and the patterns that
// select them, keys, and signatures.
//
// Signatures follow the Standard Webhooks specification
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
// three headers, webhook-id, webhook-timestamp and webhook-signature, where
// every signature covers the bytes
//
//	{webhook-id}.{webhook-timestamp}.{body}
//
// The ManySends envelope also carries a signature member inside the body. It
// is made and checked by cutting bytes, never by encoding JSON again, so that
// every language can check it with string slicing; see [SignBody].
package webhook
