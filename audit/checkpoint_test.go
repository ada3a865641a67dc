// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/keyward-go/keyward/audit"
)

// signText signs any text, to make checkpoints that Sign would not.
func signText(t testing.TB, text, signerKey string) []byte {
	t.Helper()
	signer, err := note.NewSigner(signerKey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

const (
	someRoot = "CrVfQBSIvQzQ5CgLxLBZcMxDbiWpc6QQVBDcfZ7Vm2o="
	noRoot   = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
)

func TestCheckpoint(t *testing.T) {
	l := newLog(t, 20)
	witness, _ := keys("witness.example", 9)
	otherSigner, other := keys(origin, 8)
	for size := range 21 {
		checkpoint := l.checkpoint(t, size)
		h, err := audit.ParseCheckpoint(checkpoint, l.verifier)
		if err != nil || h != l.head(size) {
			t.Fatalf("size %d: %v %v", size, h, err)
		}
		if _, err := audit.ParseCheckpoint(checkpoint, other); err == nil {
			t.Fatal("another key of the same name accepted it")
		}
		// Lines by others are ignored: a witness, or a further key of the log.
		text, _, _ := strings.Cut(string(checkpoint), "\n\n")
		for _, key := range []string{witness, otherSigner} {
			_, line, _ := strings.Cut(string(signText(t, text+"\n", key)), "\n\n")
			if h, err := audit.ParseCheckpoint([]byte(string(checkpoint)+line), l.verifier); err != nil || h != l.head(size) {
				t.Fatalf("with a second signature: %v", err)
			}
		}
	}

	good := string(l.checkpoint(t, 20))
	text, signature, _ := strings.Cut(good, "\n\n")
	fields := strings.Fields(signature)
	raw, _ := base64.StdEncoding.DecodeString(fields[2])
	spelled := func(b64 string) string { return text + "\n\n— " + origin + " " + b64 + "\n" }
	lastBits := fields[2][:len(fields[2])-2] + string(fields[2][len(fields[2])-2]+1) + "="
	if again, err := base64.StdEncoding.DecodeString(lastBits); err != nil || string(again) != string(raw) {
		t.Fatal("the case does not test unused bits")
	}
	body := func(lines ...string) string { return string(signText(t, strings.Join(lines, "\n")+"\n", l.signer)) }
	for why, bad := range map[string]string{
		"empty":                  "",
		"text only":              text + "\n",
		"no signature":           text + "\n\n",
		"cut":                    good[:len(good)-1],
		"unused bits":            spelled(lastBits),
		"second spelling behind": good + "— " + origin + " " + lastBits + "\n",
		"signed twice":           good + signature,
		"false one behind":       good + "— " + origin + " " + base64.StdEncoding.EncodeToString(append(raw[:4:4], make([]byte, 64)...)) + "\n",
		"signature of no size":   spelled(base64.StdEncoding.EncodeToString(raw[:4])),
		"carriage return":        strings.ReplaceAll(good, "\n", "\r\n"),
		"other origin":           body("keyward/other", "20", someRoot),
		"no origin":              body("", "20", someRoot),
		"origin with a space":    body(origin+" ", "20", someRoot),
		"extension line":         body(origin, "20", someRoot, "extension"),
		"blank extension line":   body(origin, "20", someRoot, ""),
		"no root":                body(origin, "20"),
		"leading zero":           body(origin, "020", someRoot),
		"plus":                   body(origin, "+20", someRoot),
		"negative":               body(origin, "-20", someRoot),
		"no size":                body(origin, "", someRoot),
		"hexadecimal":            body(origin, "0x14", someRoot),
		"too large":              body(origin, "9223372036854775807", someRoot),
		"far too large":          body(origin, "92233720368547758070", someRoot),
		"root with unused bits":  body(origin, "20", someRoot[:42]+"p="),
		"root without padding":   body(origin, "20", someRoot[:43]),
		"root too short":         body(origin, "20", "AAAA"),
		"root in base64url":      body(origin, "20", strings.ReplaceAll(noRoot, "+", "-")),
		"empty log with a root":  body(origin, "0", someRoot),
		"too long":               good + strings.Repeat("— x AAAAAAAA\n", 6000),
	} {
		h, err := audit.ParseCheckpoint([]byte(bad), l.verifier)
		var tampered *audit.TamperError
		if !errors.As(err, &tampered) || h != (audit.Head{}) {
			t.Errorf("%s: %v, %v", why, h, err)
		}
	}
	if _, err := audit.ParseCheckpoint([]byte(body(origin, "0", noRoot)), l.verifier); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"", "x", l.verifier + "x", strings.Replace(l.verifier, "+", " +", 1), l.signer} {
		_, err := audit.ParseCheckpoint([]byte(good), key)
		var tampered *audit.TamperError
		if err == nil || errors.As(err, &tampered) {
			t.Errorf("key %.10q: %v", key, err)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	signer, verifier := keys(origin, 7)
	h := newLog(t, 3).head(3)
	for why, err := range map[string]error{
		"other origin": second(audit.Sign(h, "keyward/other", signer)),
		"verifier key": second(audit.Sign(h, origin, verifier)),
		"zero head":    second(audit.Sign(audit.Head{}, origin, signer)),
		"negative":     second(audit.Sign(audit.Head{Size: -1}, origin, signer)),
		"huge":         second(audit.Sign(audit.Head{Size: 1<<60 + 1}, origin, signer)),
		"broken key":   second(audit.Sign(h, origin, signer[:len(signer)-3])),
	} {
		if err == nil {
			t.Errorf("%s: signed", why)
		} else if secret := strings.Split(signer, "+"); strings.Contains(fmt.Sprint(err), secret[len(secret)-1][:10]) {
			t.Errorf("%s: the error quotes the key", why)
		}
	}
}

func second[T any](_ T, err error) error { return err }
