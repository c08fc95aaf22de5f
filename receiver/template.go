package receiver

// Template says how a sender signs its requests. Of what a place finds, every
// value is a signature to try, and for the others there must be exactly one.
type Template struct {
	// Algorithm is how they are signed: hmac-sha1, hmac-sha256, hmac-sha384,
	// hmac-sha512, ed25519, ecdsa-p256-sha256, rsa-sha256 (PKCS #1 v1.5), or
	// token for a secret that is sent as it is. Default: hmac-sha256.
	Algorithm string `json:"algorithm,omitempty"`

	// Key says how secrets are written. For HMAC: raw for the text as it is,
	// hex, base64, whsec for base64 with "whsec_" before it (or "v1,whsec_"),
	// or sha256 for the SHA-256 of the text. For tokens: raw. For public keys:
	// spki for PEM or for the base64 of the DER form, and hex or base64 for the
	// 32 bytes of an Ed25519 key. Default: raw; hex for ed25519; spki for
	// ecdsa-p256-sha256 and rsa-sha256.
	Key string `json:"key,omitempty"`

	// Content is what is signed, as text with {body}, {timestamp}, {id},
	// {method}, {url}, {path}, {query}, {header.Name}, {json.path} and
	// {body_sha256} (lower-case hex); "{{" and "}}" are braces. {timestamp} and
	// {id} are the exact text that was sent. Default: "{body}".
	Content string `json:"content,omitempty"`

	// Encoding is how the signature is written: hex, base64 or base64url, the
	// last two with or without padding. Default: hex.
	Encoding string `json:"encoding,omitempty"`

	// Signature is where signatures are: any value of any of these places will
	// do, up to 16 of them.
	Signature []Place `json:"signature,omitempty"`

	// Timestamp is where the time of sending is: the first place that has one
	// counts. It must be covered by the signature. Default: there is none, so
	// that the age of a request is not checked.
	Timestamp []Place `json:"timestamp,omitempty"`

	// TimestampFormat is how it is written: unix (seconds), unix_ms, rfc3339
	// (in UTC where it names no zone), or auto for any of them, where 10 digits
	// are seconds and 13 are milliseconds. Default: unix.
	TimestampFormat string `json:"timestamp_format,omitempty"`

	// ID is where the event ID is: the first place that has one counts. Events
	// are told apart by it if it is covered by the signature, otherwise, and
	// where there is none, by the signed content.
	ID []Place `json:"id,omitempty"`

	// Distinguish is what else tells events apart that have the same content,
	// such as a header with the topic, although the signature does not cover
	// it. Use it only where the sender needs it: a captured request can then be
	// replayed once for every value that somebody makes up.
	Distinguish []Place `json:"distinguish,omitempty"`

	// Type is where the event type is: the first place that has one counts.
	Type []Place `json:"type,omitempty"`

	// BodyUnsigned says that the body is not signed, and that this is known.
	// Otherwise Content must hold {body} or {body_sha256}.
	BodyUnsigned bool `json:"body_unsigned,omitempty"`
}

// Place is where in a request a value, or a list of them, is taken from. One of
// Header, Query and JSON is set.
type Place struct {
	// Header is the name of a header. In a place of signatures "{n}" in it
	// stands for each of the numbers 1 to 100.
	Header string `json:"header,omitempty"`

	// Query is the name of a parameter in the URL.
	Query string `json:"query,omitempty"`

	// JSON is the path of a string, number or boolean in a JSON body, such as
	// "event.id", or "events.0.id" for the first item of an array.
	JSON string `json:"json,omitempty"`

	// List is what separates several values: any of these characters, such as
	// "," or ";". Spaces around values do not count. Default: there is one.
	List string `json:"list,omitempty"`

	// Prefix is what stands before a value and is cut off, such as "sha256=" or
	// "t=". A value without it does not count.
	Prefix string `json:"prefix,omitempty"`
}

// The values of [Template].Algorithm.
const (
	algorithmHMACSHA1   = "hmac-sha1"
	algorithmHMACSHA256 = "hmac-sha256"
	algorithmHMACSHA384 = "hmac-sha384"
	algorithmHMACSHA512 = "hmac-sha512"
	algorithmEd25519    = "ed25519"
	algorithmECDSA      = "ecdsa-p256-sha256"
	algorithmRSA        = "rsa-sha256"
	algorithmToken      = "token"
)

// The values of [Template].Key and [Config].Key.
const (
	keyRaw    = "raw"
	keyHex    = "hex"
	keyBase64 = "base64"
	keyWhsec  = "whsec"
	keySHA256 = "sha256"
	keySPKI   = "spki"
)

// The values of [Template].Encoding.
const (
	encodingHex       = "hex"
	encodingBase64    = "base64"
	encodingBase64URL = "base64url"
)

// The values of [Template].TimestampFormat.
const (
	formatUnix    = "unix"
	formatUnixMS  = "unix_ms"
	formatRFC3339 = "rfc3339"
	formatAuto    = "auto"
)
