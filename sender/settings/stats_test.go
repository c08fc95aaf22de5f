package settings_test

import (
	"net/http"
	"testing"
)

func TestStats(t *testing.T) {
	r, endpoint := published(t)
	a := r.do("GET", "/api/stats", "").want(http.StatusOK)
	for place, want := range map[string]string{
		"step": "hour", "total.attempts": "5", "total.succeeded": "5", "total.failed": "0", "pending": "0",
		"series.0.endpoint": endpoint, "series.0.total.attempts": "5", "series.1": "", "duration_bounds.0": "1ms", "duration_bounds.14": "30s",
		"points.0.start": "2024-03-05T10:00:00Z", "points.0.attempts": "5", "points.1": "",
	} {
		if got := a.at(place); got != want {
			t.Errorf("%s is %s, want %s", place, got, want)
		}
	}
	for query, want := range map[string]map[string]string{
		"by=type":                          {"series.0.type": "conversation.assigned", "series.0.endpoint": "", "series.3.type": "message.deleted", "series.4": "", "total.attempts": "5"},
		"by=endpoint&endpoint=" + endpoint: {"total.attempts": "5", "series.0.endpoint": endpoint},
		"endpoint=fixed":                   {"total.attempts": "0", "series": "[]"},
		"endpoint=nobody":                  {"total.attempts": "0", "series": "[]"},
		"step=minute":                      {"step": "minute", "points.0.start": "2024-03-05T10:30:00Z"},
		"step=hour&from=2024-03-05T11:00:00Z&to=2024-03-05T12:00:00Z": {"step": "hour", "total.attempts": "0", "from": "2024-03-05T11:00:00Z", "to": "2024-03-05T12:00:00Z"},
		"from=2024-03-05T10:00:00Z&to=2024-03-05T11:00:00Z":           {"step": "minute", "total.attempts": "5"},
	} {
		a := r.do("GET", "/api/stats?"+query, "").want(http.StatusOK)
		for place, value := range want {
			if got := a.at(place); got != value {
				t.Errorf("%s: %s is %s, want %s", query, place, got, value)
			}
		}
	}
	for _, tt := range []struct{ query, field string }{
		{"step=second", "step"},
		{"step=minute&step=hour", "step"},
		{"by=tenant", "by"},
		{"from=yesterday", "from"},
		{"to=tomorrow", "to"},
		{"from=2024-03-05T10:30:00Z&to=2024-03-05T10:00:00Z", "from"},
		{"from=9998-12-31T23:00:00Z&to=9999-12-31T23:59:59Z", "to"}, // which would end in the year 10000
		{"to=9999-12-31T23:59:59Z", "to"},
		{"from=2014-03-05T10:30:00Z&step=minute", "from"}, // too many points
		{"type=message.created", "type"},
	} {
		r.do("GET", "/api/stats?"+tt.query, "").problem(http.StatusUnprocessableEntity, tt.field)
	}
}
