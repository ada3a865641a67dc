// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"github.com/keyward-go/keyward/vault"
)

// refusals are the words by which wrappers say that bytes do not open under their key. There is no type to ask for:
// crypto/cipher's error is not exported, and a plug-in or a remote service passes on the text alone. A phrase that is
// missing here makes the answer ErrKMSUnavailable, with the wrapper's text behind it; it never makes it a success.
var refusals = []string{
	"message authentication failed", // crypto/cipher, chacha20poly1305, Transit, envelopes of every cloud wrapper
	"InvalidCiphertextException",    // AWS
	"IncorrectKeyException",         // AWS
	"Decryption failed: verify",     // Google Cloud
}

func refused(err error) bool {
	text := err.Error()
	for _, r := range refusals {
		if strings.Contains(text, r) {
			return true
		}
	}
	return false
}

// unavailable passes on the error of a wrapper, unless that quotes given, which is what the wrapper was handed.
func unavailable(err error, given []byte) error {
	if quotes(err.Error(), given) {
		return fmt.Errorf("%w: the wrapper's message is left out, because it quotes what the wrapper was given", vault.ErrKMSUnavailable)
	}
	return fmt.Errorf("%w: %w", vault.ErrKMSUnavailable, wrapperError{err})
}

const (
	maxMessage = 1024
	window     = 16 // so many characters alike are a quotation
)

// wrapperError is an error of a wrapper, on one line and not endless.
type wrapperError struct{ err error }

func (e wrapperError) Unwrap() error { return e.err }

func (e wrapperError) Error() string {
	text := e.err.Error()
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// quotes reports whether text holds a part of b, as it is or in a usual writing.
func quotes(text string, b []byte) bool {
	if len(text) > 8*maxMessage {
		return true // too long to look through: better left out
	}
	parts := make(map[string]bool, len(text))
	for i := 0; i+window <= len(text); i++ {
		parts[text[i:i+window]] = true
	}
	if len(parts) == 0 {
		return false
	}
	for _, form := range forms(b) {
		for i := 0; i+window <= len(form); i++ {
			if parts[form[i:i+window]] {
				return true
			}
		}
	}
	return false
}

func forms(b []byte) []string {
	h := hex.EncodeToString(b)
	out := []string{string(b), h, strings.ToUpper(h), strings.Trim(fmt.Sprint(b), "[]"), fmt.Sprintf("%#v", b), fmt.Sprintf("%q", b), fmt.Sprintf("% x", b)}
	for i := range min(3, len(b)) { // base64 looks different at each alignment
		out = append(out, base64.RawStdEncoding.EncodeToString(b[i:]), base64.RawURLEncoding.EncodeToString(b[i:]))
	}
	return out
}
