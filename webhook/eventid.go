package webhook

import (
	"crypto/sha256"
	"encoding/hex"
)

// EventIDOf makes an event ID of the ID that somebody else has given an event.
// One that can be used stays as it is. Otherwise what an ID cannot hold becomes
// "_", and a digest of the whole is added, so that different IDs stay different
// and the same one always gives the same. It is empty for an empty one.
func EventIDOf(id string) string {
	if id == "" || CheckEventID(id) == nil {
		return id
	}
	digest := sha256.Sum256([]byte(id))
	const digits, room = 32, maxEventIDLength - 32 - 1
	b := make([]byte, 0, maxEventIDLength)
	for i := range min(len(id), room) {
		c := id[i]
		if CheckEventID(string(rune(c))) != nil {
			c = '_'
		}
		b = append(b, c)
	}
	return string(append(b, '-')) + hex.EncodeToString(digest[:digits/2])
}
