package receiver

import (
	"maps"
	"slices"
	"strings"
)

// handshakeKind is a handshake with what it needs.
type handshakeKind struct {
	handshake
	parameters []Parameter
}

// handshakes are all of them, by the name that [Config].Handshake may have.
var handshakes = map[string]handshakeKind{
	"asana":           {asanaSecret, []Parameter{parameterHookSecret}},
	"cloudevents":     {cloudEventsPermission, []Parameter{parameterAllowedOrigin, parameterAllowedRate}},
	"discord":         {discordPing, nil},
	"dropbox":         {dropboxChallenge, nil},
	"event_grid":      {eventGridValidation, []Parameter{parameterAllowedOrigin, parameterAllowedRate}},
	"meta":            {metaChallenge, []Parameter{parameterVerifyToken}},
	"microsoft_graph": {graphValidation, nil},
	"notion":          {notionToken, []Parameter{parameterTokenFile}},
	"okta":            {oktaChallenge, nil},
	"slack":           {slackChallenge, nil},
	"twitch":          {twitchChallenge, nil},
	"twitter":         {twitterChallenge, nil},
	"websub":          {webSubChallenge, []Parameter{parameterTopic}},
	"zoom":            {zoomChallenge, nil},
}

// handshakeOf says which handshake a provider has, where it is not the one of
// its own name.
var handshakeOf = map[string]string{
	"facebook":  "meta",
	"instagram": "meta",
	"messenger": "meta",
	"whatsapp":  "meta",
}

// shake gives a provider its handshake, with the parameters that it needs.
func (p *provider) shake() {
	name := p.Name
	if other, ok := handshakeOf[name]; ok {
		name = other
	}
	p.shakeAs(name)
}

// shakeAs gives a provider the handshake of a name, if there is one.
func (p *provider) shakeAs(name string) (ok bool) {
	kind, ok := handshakes[name]
	if ok {
		p.handshake = kind.handshake
		p.Parameters = slices.Concat(p.Parameters, kind.parameters)
	}
	return ok
}

// handshakeNames lists the names for an error message.
func handshakeNames() string {
	return strings.Join(slices.Sorted(maps.Keys(handshakes)), ", ")
}
