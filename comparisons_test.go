package caddywebhooks_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"testing"
)

// secretNames are names of what must be compared in a time that tells nothing:
// signatures that would be right, tokens, passwords.
var secretNames = regexp.MustCompile(`(?i)(signature|hmac|mac\b|macs\b|digest|token|secret|password|passwd|\bsum\b|sum\[|\.Sum\(|credential|challenge|\bwant\b)`)

// harmless are comparisons of what only has such a name, by file and expression.
var harmless = map[string]string{
	`webhook/bodysignature.go: bytes.HasPrefix(body[cut:], []byte(bodySignatureOpen))`: "the name of the member, which all bodies have",
	`sender/rotation.go: s.Secret == secret`:                                           "the owner's new secret, among his own",
	`sender/settings/page_secret.go: s.Secret == made`:                                 "the owner's new secret, among his own",
	`receiver/explain.go: reason == ReasonSignatureMismatch`:                           "a reason",
	`receiver/explain_template.go: known.token == a.token`:                             "whether an algorithm sends tokens",
	`receiver/handshake_unsigned.go: queryValue(query, "hub.topic") != want`:           "the URL of a topic, which is public",
	`receiver/verify_http_signature_keys.go: k.algorithm != messageHMAC`:               "the name of an algorithm",
	`receiver/verify_http_signature_keys.go: k.algorithm == messageHMAC`:               "the name of an algorithm",
	`receiver/verify_http_signatures.go: slices.Contains(covered, componentDigest)`:    "the name of a component",
	`receiver/verify_http_signatures.go: slices.Contains(group, componentDigest)`:      "the name of a component",
	`signer/layout.go: strings.Contains(l.signature[0].Header, numbered)`:              "the name of a header",
	`diagnose/moments.go: form != want`:                                                "the name of a form of time",
	`diagnose/standard.go: inner.Mistake == MistakeSignatureMissing`:                   "a mistake",
	`caddymodule/command_listen.go: files[0] != secretFromInput`:                       "the name of a file",
	`caddymodule/command_secretflag.go: file == secretFromInput`:                       "the name of a file",
	`caddymodule/command_secretflag.go: name != secretFromInput`:                       "the name of a file",
	`caddymodule/secretfiles.go: slices.Equal(secrets, inForce)`:                       "what a file of the operator holds, before and after",
}

// TestSecretsAreComparedInConstantTime reads the source: what may be a secret, or
// a signature that would be right, is compared by hmac.Equal or by
// subtle.ConstantTimeCompare, and by nothing that ends at the first byte that
// differs.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	used := make(map[string]bool)
	constant := 0
	eachSource(t, func(path string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			text, kind := comparison(n)
			if kind == constantTime {
				constant++
			}
			if kind != ordinary || !secretNames.MatchString(text) {
				return true
			}
			key := path + ": " + text
			if used[key] = true; harmless[key] == "" {
				t.Errorf("%s: use hmac.Equal or subtle.ConstantTimeCompare, or say in harmless why this is no secret", key)
			}
			return true
		})
	})
	for key := range harmless {
		if !used[key] {
			t.Errorf("harmless has %q, which is in the source no more", key)
		}
	}
	if constant < 10 {
		t.Errorf("%d comparisons in constant time were found, want those that there are", constant)
	}
}

type comparisonKind int

const (
	none comparisonKind = iota
	ordinary
	constantTime
)

// comparison is the text of a comparison of two values that are not known when
// the program is compiled.
func comparison(n ast.Node) (text string, kind comparisonKind) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if n.Op != token.EQL && n.Op != token.NEQ || isKnown(n.X) || isKnown(n.Y) {
			return "", none
		}
		return types.ExprString(n), ordinary
	case *ast.CallExpr:
		switch types.ExprString(n.Fun) {
		case "hmac.Equal", "subtle.ConstantTimeCompare":
			return "", constantTime
		case "bytes.Equal", "bytes.Compare", "bytes.EqualFold", "bytes.HasPrefix", "bytes.Contains", "strings.Compare", "strings.EqualFold", "strings.HasPrefix", "strings.HasSuffix",
			"strings.Contains", "slices.Equal", "slices.Contains", "slices.Index", "reflect.DeepEqual", "cmp.Compare":
			for _, arg := range n.Args {
				if isKnown(arg) {
					return "", none
				}
			}
			return types.ExprString(n), ordinary
		}
	}
	return "", none
}

// isKnown tells whether a value is a literal, a constant of the usual names, or a
// length.
func isKnown(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit, *ast.CompositeLit:
		return true
	case *ast.UnaryExpr:
		return isKnown(e.X)
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "true" || e.Name == "false"
	case *ast.CallExpr:
		name := types.ExprString(e.Fun)
		if name == "len" || name == "cap" {
			return true
		}
		return name == "[]byte" && isKnown(e.Args[0])
	}
	return false
}
