// Package signer signs requests that go out, as the senders of webhooks do: as
// Standard Webhooks says, as GitHub, Stripe and most others of the providers
// that package receiver knows, or by a template of one's own. What it signs, a
// receiver of the same provider and secret accepts.
//
// It is for requests whose body comes from somewhere else and must stay as it
// is, such as those that pass through a proxy. To make events, store them and
// deliver them with retries, use package sender.
package signer
