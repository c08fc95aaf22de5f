package settings

// OpenAPI is the file that describes the API.
var OpenAPI = openAPI

// Routes are the methods and paths that are served.
func Routes() (list []string) {
	for _, rt := range routes {
		list = append(list, rt.method+" "+rt.path)
	}
	return list
}

// Most is how many endpoints one tenant may make.
func Most(h *Handler) int { return h.most() }

// Explaining is as if a request that was pasted were being looked into, until it
// is told that this is over.
func Explaining(h *Handler) (over func()) {
	h.explaining.Lock()
	return h.explaining.Unlock
}

// PageRoutes are the methods and paths of the pages.
func PageRoutes() (list []string) {
	for _, rt := range pageRoutes {
		list = append(list, rt.method+" "+rt.path)
	}
	return list
}

// What pages are made with.
var (
	Relative     = relative
	Took         = took
	Share        = share
	CountText    = countText
	Visible      = visible
	Shortened    = shortened
	ChosenEvents = chosenEvents
	Curl         = curl
	NiceTop      = niceTop
)

// ShownText is what is shown of a body, and what kind it is.
func ShownText(body []byte, most int) (text, kind string, cut bool) {
	s := shownText(body, most)
	return s.Text, s.Kind, s.Cut
}

// MaxShown is how much of a body is shown.
const MaxShown = maxShown
