package sender

import (
	"encoding/json"
	"net/http"
)

// Problem is an error as it is answered over HTTP: problem details, RFC 9457.
type Problem struct {
	// Type is always "about:blank": the status says it all (RFC 9457,
	// section 4.2.1).
	Type string `json:"type"`

	// Title is the status in words.
	Title string `json:"title"`

	// Status is the HTTP status.
	Status int `json:"status"`

	// Detail is one sentence that names the field, what is wrong with it and
	// what to do.
	Detail string `json:"detail,omitempty"`
}

// writeProblem answers with problem details.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	p := Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
	_ = json.NewEncoder(w).Encode(p) // the client may be gone
}
