// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// maxCheckpoint leaves room for the signatures of many witnesses.
const maxCheckpoint = 64 << 10

// Sign returns a C2SP tlog-checkpoint of h: origin, size and root, signed with signerKey (in the form of
// note.NewSigner), whose name must be the origin.
func Sign(h Head, origin, signerKey string) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	signer, err := note.NewSigner(signerKey)
	if err != nil {
		return nil, fmt.Errorf("signer key: %w", err) // note's errors quote no part of the key
	}
	if signer.Name() != origin {
		return nil, errors.New("signer key has another name than the origin")
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, h.Size, tlog.Hash(h.Root))
	return note.Sign(&note.Note{Text: text}, signer)
}

// ParseCheckpoint checks a checkpoint with key (in the form of note.NewVerifier) and returns its head. The origin must
// be the key's name, and the key must have signed, once; lines by others, such as witnesses, are not looked at. Every
// part has one spelling, and there are no extension lines. A checkpoint that does not hold is a *TamperError.
func ParseCheckpoint(checkpoint []byte, key string) (Head, error) {
	verifier, err := newVerifier(key)
	if err != nil {
		return Head{}, err
	}
	return parseCheckpoint(checkpoint, verifier)
}

func newVerifier(key string) (note.Verifier, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return nil, fmt.Errorf("verifier key: %w", err)
	}
	return verifier, nil
}

func badCheckpoint(problem string) error { return &TamperError{-1, "checkpoint " + problem} }

func parseCheckpoint(checkpoint []byte, verifier note.Verifier) (Head, error) {
	if len(checkpoint) > maxCheckpoint {
		return Head{}, badCheckpoint("is longer than 64 KiB")
	}
	signed, err := note.Open(checkpoint, note.VerifierList(verifier))
	var unsigned *note.UnverifiedNoteError
	var forged *note.InvalidSignatureError
	switch {
	case errors.As(err, &unsigned):
		return Head{}, badCheckpoint("is not signed by the given key")
	case errors.As(err, &forged):
		return Head{}, badCheckpoint("has a signature that does not verify")
	case err != nil:
		return Head{}, badCheckpoint("is not a signed note")
	case !signedOnce(string(checkpoint[len(signed.Text):]), verifier):
		return Head{}, badCheckpoint("has a second spelling of its signature")
	}

	origin, rest, _ := strings.Cut(signed.Text, "\n")
	size, rest, _ := strings.Cut(rest, "\n")
	root, rest, _ := strings.Cut(rest, "\n")
	if origin != verifier.Name() {
		return Head{}, badCheckpoint("is of another log")
	}
	if rest != "" {
		return Head{}, badCheckpoint("has an extension line, unknown in version 1")
	}
	var h Head
	h.Size, err = strconv.ParseInt(size, 10, 64)
	if err != nil || strconv.FormatInt(h.Size, 10) != size {
		return Head{}, badCheckpoint("has a malformed size")
	}
	hash, err := tlog.ParseHash(root)
	if err != nil || hash.String() != root {
		return Head{}, badCheckpoint("has a malformed root")
	}
	h.Root = hash
	if h.check() != nil {
		return Head{}, badCheckpoint("has a size and root that no log has")
	}
	return h, nil
}

// signedOnce reports whether exactly one of the signature lines is the verifier's, in canonical base64. note.Open
// verifies the first and drops the others, and it ignores the unused bits of base64.
func signedOnce(signatures string, verifier note.Verifier) bool {
	lines := 0
	for line := range strings.Lines(signatures) {
		text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "— "+verifier.Name()+" ")
		if !ok {
			continue
		}
		signature, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(signature) < 4 {
			return false
		}
		if binary.BigEndian.Uint32(signature) != verifier.KeyHash() {
			continue
		}
		lines++
		if base64.StdEncoding.EncodeToString(signature) != text {
			return false
		}
	}
	return lines == 1
}
