package webhook

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is a limit of so many events per unit of time, with a burst. It is the
// configuration of a token bucket; golang.org/x/time/rate enforces it.
type Rate struct {
	// Events is how many may pass in each Per. It must be at least 1. Required.
	Events int `json:"events"`

	// Per is the unit of time. Default: 1s.
	Per Duration `json:"per,omitzero"`

	// Burst is how many may pass at once after a pause. Default: Events.
	Burst int `json:"burst,omitempty"`
}

// maxRatePer keeps the limiters' arithmetic in range.
const maxRatePer = 366 * 24 * time.Hour

// ParseRate reads the short form of a rate, "100/s", "600/m" or "10/h"; any
// duration may follow the slash ("5/10s").
func ParseRate(s string) (Rate, error) {
	bad := func() (Rate, error) {
		return Rate{}, fmt.Errorf("rate %q is not understood: write a whole number, a slash and a unit of time, such as 100/s, 600/m or 5/10s", s)
	}
	n, unit, found := strings.Cut(s, "/")
	if !found {
		return bad()
	}
	events, err := strconv.Atoi(n)
	if err != nil || unit == "" {
		return bad()
	}
	if 'a' <= unit[0] && unit[0] <= 'z' { // a unit alone; "s10m" is none
		if strings.ContainsAny(unit, "0123456789") {
			return bad()
		}
		unit = "1" + unit
	}
	per, err := ParseDuration(unit)
	if err != nil || per == 0 {
		return bad()
	}
	r := Rate{Events: events, Per: per}
	return r, r.Validate()
}

// Validate says what is wrong with the rate, if anything.
func (r Rate) Validate() error {
	switch {
	case r.Events < 1:
		return fmt.Errorf("rate %s is too low: allow at least 1 event per unit of time", r)
	case r.Per < 0:
		return fmt.Errorf("rate %s has a negative unit of time: write one such as 1s or 1m", r)
	case r.Per > Duration(maxRatePer):
		return fmt.Errorf("rate %s has a unit of time of more than a year: use a shorter one", r)
	case r.Burst < 0:
		return fmt.Errorf("rate %s has a negative burst: leave it out, or allow at least 1", r)
	}
	return nil
}

// PerSecond is the rate in events per second.
func (r Rate) PerSecond() float64 {
	per := time.Duration(r.Per)
	if per == 0 {
		per = time.Second
	}
	return float64(r.Events) / per.Seconds()
}

// BurstSize is Burst, or Events where Burst is zero.
func (r Rate) BurstSize() int {
	if r.Burst > 0 {
		return r.Burst
	}
	return r.Events
}

// String writes the short form that [ParseRate] reads, followed by the burst
// where there is one.
func (r Rate) String() string {
	per := r.Per
	if per == 0 {
		per = Duration(time.Second)
	}
	unit := per.String()
	switch time.Duration(per) {
	case time.Second:
		unit = "s"
	case time.Minute:
		unit = "m"
	case time.Hour:
		unit = "h"
	}
	s := strconv.Itoa(r.Events) + "/" + unit
	if r.Burst != 0 {
		s += " burst " + strconv.Itoa(r.Burst)
	}
	return s
}
