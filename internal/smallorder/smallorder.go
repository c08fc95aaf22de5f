// Package smallorder knows the Ed25519 public keys with which anybody can make
// signatures: points whose order divides 8. They are nobody's keys, but all zeros,
// as somebody may write while trying something, is one of them.
package smallorder

import "crypto/ed25519"

// points are the encodings of those points without the sign (RFC 8032, section
// 5.1.2). Numbers of the field have a second encoding where they are less than 19;
// [ed25519.Verify] takes both.
var points = [...][ed25519.PublicKeySize]byte{
	{},  // order 4
	{1}, // order 1
	{ // order 8
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{ // order 8
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
	nearPrime(0xec), // order 2
	nearPrime(0xed), // order 4, the second encoding
	nearPrime(0xee), // order 1, the second encoding
}

// nearPrime is the encoding of 2²⁵⁵ - 256 + low; the prime is 2²⁵⁵ - 19.
func nearPrime(low byte) (p [ed25519.PublicKeySize]byte) {
	for i := range p {
		p[i] = 0xff
	}
	p[0], p[len(p)-1] = low, 0x7f
	return p
}

// Is tells whether a public key is one of them.
func Is(key ed25519.PublicKey) bool {
	if len(key) != ed25519.PublicKeySize {
		return false
	}
	p := [ed25519.PublicKeySize]byte(key)
	p[len(p)-1] &^= 0x80 // the sign
	for i := range points {
		if p == points[i] {
			return true
		}
	}
	return false
}
