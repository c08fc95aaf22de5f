package settings

import "net/http"

// route is one operation of the API.
type route struct {
	method, path string

	// noun is what the ID in the path, or in the query or body, names.
	noun string

	// serve answers the request. When it returns an error it has not written
	// anything.
	serve func(*call) error

	// public routes are about nobody's settings in particular.
	public bool

	// reveals tells that the answer holds secrets.
	reveals bool

	// changes tells that the answer is there to change something with.
	changes bool
}

var routes = []route{
	{method: http.MethodGet, path: "/api/endpoints", noun: "endpoint", serve: listEndpoints},
	{method: http.MethodPost, path: "/api/endpoints", noun: "endpoint", serve: createEndpoint},
	{method: http.MethodGet, path: "/api/endpoints/{id}", noun: "endpoint", serve: getEndpoint},
	{method: http.MethodPatch, path: "/api/endpoints/{id}", noun: "endpoint", serve: patchEndpoint},
	{method: http.MethodDelete, path: "/api/endpoints/{id}", noun: "endpoint", serve: deleteEndpoint},
	{method: http.MethodPost, path: "/api/endpoints/{id}/test", noun: "endpoint", serve: testEndpoint},
	{method: http.MethodPost, path: "/api/endpoints/{id}/activate", noun: "endpoint", serve: activateEndpoint},
	{method: http.MethodPost, path: "/api/endpoints/{id}/deactivate", noun: "endpoint", serve: deactivateEndpoint},
	{method: http.MethodPost, path: "/api/endpoints/{id}/rotate", noun: "endpoint", serve: rotateSecret},
	{method: http.MethodGet, path: "/api/endpoints/{id}/secret", noun: "endpoint", serve: revealSecrets, reveals: true},
	{method: http.MethodGet, path: "/api/event-types", serve: listEventTypes},
	{method: http.MethodGet, path: "/api/events/{id}", noun: "event", serve: getEvent},
	{method: http.MethodGet, path: "/api/deliveries", noun: "endpoint", serve: listDeliveries},
	{method: http.MethodGet, path: streamPath, noun: "endpoint", serve: streamDeliveries},
	{method: http.MethodGet, path: "/api/deliveries/{id}", noun: "delivery", serve: getDelivery},
	{method: http.MethodPost, path: "/api/deliveries/{id}/retry", noun: "delivery", serve: retryDelivery},
	{method: http.MethodPost, path: "/api/deliveries/{id}/cancel", noun: "delivery", serve: cancelDelivery},
	{method: http.MethodGet, path: "/api/replays", noun: "replay", serve: listReplays},
	{method: http.MethodPost, path: "/api/replays", noun: "endpoint", serve: startReplay},
	{method: http.MethodGet, path: "/api/replays/{id}", noun: "replay", serve: getReplay},
	{method: http.MethodDelete, path: "/api/replays/{id}", noun: "replay", serve: cancelReplay},
	{method: http.MethodGet, path: "/api/stats", noun: "endpoint", serve: getStats},
	{method: http.MethodGet, path: "/api/openapi.json", serve: getOpenAPI, public: true},
}
