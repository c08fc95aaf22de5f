package sender

import "fmt"

// Verdict is what one attempt means for its delivery.
type Verdict uint8

// The verdicts.
const (
	// VerdictSucceeded: a 2xx answer, in time.
	VerdictSucceeded Verdict = iota + 1

	// VerdictRetry: no answer, or one that asks for another attempt.
	VerdictRetry

	// VerdictGone: 410, the endpoint wants no more.
	VerdictGone

	// VerdictBlocked: the egress guard refused to connect.
	VerdictBlocked
)

var verdictNames = [...]string{VerdictSucceeded: "succeeded", VerdictRetry: "retry", VerdictGone: "gone", VerdictBlocked: "blocked"}

// String is the verdict as it is written everywhere.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) && verdictNames[v] != "" {
		return verdictNames[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// MarshalText writes the verdict as [Verdict.String] does.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what [Verdict.MarshalText] writes.
func (v *Verdict) UnmarshalText(b []byte) error {
	for i, name := range verdictNames {
		if name != "" && name == string(b) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("verdict %q is unknown", b)
}
