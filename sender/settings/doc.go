// Package settings is where the owner of webhook endpoints manages them: pages
// for people and a JSON API for programs, over a [sender.Sender], for one
// tenant, or for the operator of them all. It works without Caddy.
//
// A [Handler] does not ask who is calling: put it behind whatever does, and
// have [Handler.Tenant] say whose endpoints a request is about. What belongs
// to another tenant does not exist, in every answer. To the operator
// ([Handler.Operator]) everything exists: lists and streams take the parameter
// tenant, what is made takes the member tenant, and what is answered has it.
//
//	GET    /api/endpoints                  list, page by page
//	POST   /api/endpoints                  create; the secret that is made is answered this once
//	GET    /api/endpoints/{id}             with its state
//	PATCH  /api/endpoints/{id}             change (JSON Merge Patch, RFC 7396)
//	DELETE /api/endpoints/{id}             delete, and cancel what is pending
//	POST   /api/endpoints/{id}/test        send a signed sample and explain the outcome
//	POST   /api/endpoints/{id}/activate    begin to send events
//	POST   /api/endpoints/{id}/deactivate  leave it alone
//	POST   /api/endpoints/{id}/rotate      replace the secret
//	GET    /api/endpoints/{id}/secret      reveal the secrets
//	GET    /api/event-types                the catalogue
//	GET    /api/events/{id}                an event with its deliveries
//	GET    /api/deliveries                 list, filtered, page by page
//	GET    /api/deliveries/stream          live, as server-sent events
//	GET    /api/deliveries/{id}            with the event and every attempt
//	POST   /api/deliveries/{id}/retry      deliver again
//	POST   /api/deliveries/{id}/cancel     give up
//	GET    /api/replays                    list, page by page
//	POST   /api/replays                    deliver many again, or count them
//	GET    /api/replays/{id}               with its progress
//	DELETE /api/replays/{id}               stop
//	GET    /api/stats                      attempts over time, with percentiles
//	GET    /api/openapi.json               all of this, as OpenAPI 3.1
//
// Bodies are JSON objects of at most 64 KiB, without duplicate or unknown
// members. Times are in RFC 3339 form, durations are text such as "30s", and
// rates are text such as "100/s burst 200". Errors are problem details
// (RFC 9457) with one sentence in detail and, where one member of the body or
// one parameter of the query is to blame, its name in field. Requests that
// change something are refused when they come from a page of another origin that
// is none of [Handler.TrustedOrigins].
//
// The pages are at the root: webhooks, deliveries, charts, replays, and for each
// webhook a test that is explained, its secret, and how its deliveries are
// verified. They are made on the server, need no JavaScript, load nothing from
// elsewhere, and refer to each other and to their assets by relative paths, so
// that they work wherever the handler is mounted. Leave them out with
// [Handler.NoPages].
package settings
