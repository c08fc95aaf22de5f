package sender

// AnyVersion in [Document.Version] stores a document whatever is there.
const AnyVersion = -1

// Document is something small that the sender keeps in its store beside the
// events: an endpoint, its health, a replay. The store does not look into it.
type Document struct {
	// Kind and ID name the document.
	Kind, ID string

	// Version counts the changes, from 1. To store a document, it is the
	// version that the change was made from: 0 for a new one.
	Version int64

	// Data is what it holds.
	Data []byte
}
