package command

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The objects of the API, with the members that are shown. Durations stay as
// they are written.

type delivery struct {
	ID        string
	EventID   string `json:"event_id"`
	Event     string
	Timestamp time.Time
	Tenant    string
	Endpoint  string
	Status    string
	Attempts  int
	StoredAt  time.Time `json:"stored_at"`
	Due       time.Time
	Last      *attempt

	content
	History []attempt
}

type event struct {
	ID        string
	Event     string
	Timestamp time.Time
	Tenant    string
	StoredAt  time.Time `json:"stored_at"`

	content
	Deliveries []delivery
}

// content is what an event says.
type content struct {
	Traceparent string
	Data        json.RawMessage
	DataBase64  string `json:"data_base64"`
	ContentType string `json:"content_type"`
}

type attempt struct {
	Number             int
	StartedAt          time.Time `json:"started_at"`
	Duration           string
	StatusCode         int `json:"status_code"`
	Verdict            string
	Error              string
	RemoteAddr         string              `json:"remote_addr"`
	RequestHeaders     map[string][]string `json:"request_headers"`
	ResponseHeaders    map[string][]string `json:"response_headers"`
	ResponseBody       string              `json:"response_body"`
	ResponseBodyBase64 string              `json:"response_body_base64"`
}

// outcome says in a few words how an attempt ended.
func (a *attempt) outcome() string {
	switch {
	case a == nil:
		return ""
	case a.Error != "":
		return a.Error
	case a.StatusCode > 0:
		return fmt.Sprintf("%d in %s", a.StatusCode, a.took())
	}
	return a.Verdict
}

// took is how long it took, as precisely as people want to know.
func (a *attempt) took() string {
	d, err := time.ParseDuration(a.Duration)
	if err != nil {
		return a.Duration
	}
	for unit := time.Nanosecond; unit < time.Second; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
	return d.Round(time.Second).String()
}

// answer is the status of an attempt; a dash when there was none.
func (a *attempt) answer() string {
	if a.StatusCode == 0 {
		return "-"
	}
	return strconv.Itoa(a.StatusCode)
}

type endpoint struct {
	ID            string
	Tenant        string
	URL           string
	Description   string
	Events        []string
	Filter        string
	Headers       map[string]string
	Format        string
	Rate          string
	Concurrency   int
	Ordering      string
	Retry         []string
	Timeout       string
	ReadOnly      bool `json:"read_only"`
	State         string
	Reason        string
	PausedUntil   time.Time `json:"paused_until"`
	Signed        bool
	PublicKeys    []string  `json:"public_keys"`
	PreviousUntil time.Time `json:"previous_secret_until"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	TestedAt      time.Time `json:"tested_at"`
	LastSuccessAt time.Time `json:"last_success_at"`
	LastFailureAt time.Time `json:"last_failure_at"`
	FailingSince  time.Time `json:"failing_since"`
	Pending       int64
	Secret        string // one that was made just now
}

// types are the event types that an endpoint gets: all of them unless it says
// otherwise.
func (e *endpoint) types() string {
	return cmp.Or(strings.Join(e.Events, " "), "*")
}

type replay struct {
	ID         string
	Tenant     string
	Request    replayRequest
	State      string
	Matched    int64
	Replayed   int64
	Skipped    int64
	Total      int64
	Error      string
	CreatedAt  time.Time `json:"created_at"`
	FinishedAt time.Time `json:"finished_at"`
}

// replayRequest is what a replay is asked for by.
type replayRequest struct {
	Tenant    *string    `json:"tenant,omitempty"`
	Endpoints []string   `json:"endpoints,omitempty"`
	Statuses  []string   `json:"statuses,omitempty"`
	Types     []string   `json:"types,omitempty"`
	From      *time.Time `json:"from,omitempty"`
	To        *time.Time `json:"to,omitempty"`
	Missing   bool       `json:"missing,omitempty"`
	FreshID   bool       `json:"fresh_id,omitempty"`
	Rate      string     `json:"rate,omitempty"`
	DryRun    bool       `json:"dry_run,omitempty"`
}

// testReport is what a test of an endpoint has shown.
type testReport struct {
	OK      bool
	Summary string
	Checks  []struct {
		Name   string
		OK     bool
		Detail string
		Remedy string
	}
	EventID string `json:"event_id"`
	Type    string
	Request struct {
		Method  string
		URL     string
		Headers map[string][]string
		Body    string
	}
	Attempt attempt
}

// count writes a number with its noun.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}

// number writes a number.
func number(n int) string { return strconv.Itoa(n) }

// orDash is text, or a dash for none.
func orDash(s string) string { return cmp.Or(s, "-") }
