package diagnose

import "net/http"

// maxGuesses is how often [Explanation.Guess] asks at most.
const maxGuesses = 150

// Guess looks for the mistake in the body or in the URL of a request that is
// checked in a way of its own: it makes mistakes until the check takes the
// request for authentic, and blames the one that did it. It tells whether there
// was one. The check must be harmless to repeat.
func (e *Explanation) Guess(v Values, header http.Header, authentic func(Values) bool) bool {
	if len(v.Body) > MaxBody {
		return false
	}
	left := maxGuesses
	try := func(changed Values, f *finding) bool {
		if left--; left < 0 || !authentic(changed) {
			return false
		}
		e.add(checkMatch, false, "The signature was not made over exactly this content.")
		e.blame(f.mistake, f.cause, f.remedy)
		if f.body != nil {
			e.Difference = differenceOf(v.Body, f.body)
		}
		return true
	}
	rule := Rule{Values: v, Header: header}
	for _, o := range rule.otherURLs() {
		if o.values.URL != v.URL && try(o.values, &o.finding) {
			return true
		}
	}
	for b := range variantsOf(v.Body, header) {
		changed := v
		changed.Body = b.body
		if try(changed, b.finding(v.Body)) {
			return true
		}
		if left <= 0 {
			return false
		}
	}
	return false
}

// Add adds a check that was made elsewhere; the text is a sentence. The first
// one that failed is what is blamed, as the mistake and with the remedy.
func (e *Explanation) Add(c Check, mistake Mistake, remedy string) {
	e.Checks = append(e.Checks, c)
	if !c.OK {
		e.blame(mistake, c.Text, remedy)
	}
}
