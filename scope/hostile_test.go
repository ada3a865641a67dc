// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/scope"
)

// actions are all of them.
var actions = []scope.Action{scope.Read, scope.Use, scope.Write, scope.Delete, scope.List, scope.Any}

// canary stands in every hostile input and must not stand in an error.
const canary = "hunter2"

// segments that are refused wherever they stand.
var badSegments = []string{
	"", ".", "..", "...", "....", strings.Repeat(".", 64), strings.Repeat("a", 65), strings.Repeat("a", 4096),
	"*", "**", "a*", "*a", "?", "[a]", "{a}", "~", "+", "%", "%2e", "%2e%2e", "%2E%2E", ".%2e", "%252e%252e", "%2f", "%2F", "%5c",
	"%00", "%c0%ae%c0%ae", "..%2f..", "%u002e%u002e", "&#46;&#46;", "\\", "..\\", "a\\..\\b", "..;", "..;a=b", "a;b", "a:b", "a,b", " ",
	" a", "a ", ".. ", " ..", "\t", "a\n", "\r", "a\r\nb", "\v", "\f", "\x00", "a\x00", "..\x00", "\x1b[0m", "\x7f", "'", "\"", "`",
	"$HOME", "${a}", "$(a)", "#", "&", "|", "<", ">", "=", "@", "!", "^", "(a)",
	"\u2024", "\u2024\u2024", "\u2025", "\u2026", "\uff0e", "\uff0e\uff0e", "\u3002", "\u00b7", // dots
	"a\u2215b", "a\uff0fb", "a\u2044b", "a\u29f8b", "a\uff3cb", "a\u2216b", // slashes
	"\uff0a", "\u2217", "\u204e", // stars
	"\u212aey", "l\u0131st", "\u0130", "pa\u017fs", "\ufb01le", "\u00df", // fold to ASCII or to more letters
	"\u00e9", "e\u0301", "\uff41", "\u0430", "\u0391", "\U0001d41a", "\U0001f511", "\u4e2d", // forms and look-alikes
	"\u202e", "a\u202eb", "\u202d", "\u2066a\u2069", "\u200e", "\u061c", // direction
	"\u200b", "a\u200bb", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\ufe0f", "\U000e0041", // invisible
	"\u00a0", "\u2003", "\u2028", "\u2029", "\u0085", "\u3000", "\ufffd", // spaces, lines
	"\xc0\xae", "\xc0\xae\xc0\xae", "\xe0\x80\xae", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xc0\x80", // overlong
	"\xff", "\xfe", "\x80", "\xc3", "a\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", // not UTF-8
}

// characters that are refused wherever they stand in a segment.
var badChars = []string{
	"*", "%", ":", ",", ";", " ", "\t", "\n", "\r", "\x00", "\x7f", "\\", "+", "@", "~", "?", "\u2215", "\uff0f", "\u2024", "\u212a",
	"\u0131", "\u017f", "\u202e", "\u200b", "\ufeff", "\u0301", "\xc0\xae", "\xc0\xaf", "\xff", "\x80", "%2f", "%2e", "%00",
}

// hostile returns spellings of which none is a path or, but for those that end in a single star, a pattern.
func hostile() []string {
	var out []string
	for _, base := range []string{canary, "production/" + canary, "a/b-c/" + canary, "a/B_c/d.e/" + canary} {
		parts := strings.Split(base, "/")
		for i := range len(parts) + 1 {
			for _, bad := range badSegments {
				out = append(out, strings.Join(slices.Insert(slices.Clone(parts), i, bad), "/"))
				if i < len(parts) && len(parts) > 1 && i != len(parts)-1 {
					replaced := slices.Clone(parts)
					replaced[i] = bad
					out = append(out, strings.Join(replaced, "/"))
				}
			}
		}
		for i := range len(base) + 1 {
			for _, bad := range badChars {
				out = append(out, base[:i]+bad+base[i:])
			}
		}
	}
	return out
}

func TestHostilePaths(t *testing.T) {
	all := hostile()
	slices.Sort(all)
	if all = slices.Compact(all); len(all) < 2000 {
		t.Fatalf("only %d spellings", len(all))
	}
	everything := scope.MustParse("secrets:*:*")
	bad := func(p, where string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%q was accepted %s", p, where)
		} else if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is quoted %s: %v", p, where, err)
		}
	}
	for _, p := range all {
		bad(p, "as a path", scope.CheckPath(p))
		for _, a := range actions {
			if everything.Allows(a, p) {
				t.Errorf("%s on %q is allowed", a, p)
			}
		}
		if scope.Match("*", p) || scope.Match(p, p) {
			t.Errorf("%q is matched", p)
		}
		patterns := []string{p, p + "/*", p + "/x", "x/" + p}
		if strings.HasSuffix(p, "/*") && scope.CheckPath(strings.TrimSuffix(p, "/*")) == nil {
			patterns = []string{p + "/*", p + "/x"} // a pattern, though not a path
		}
		for _, p := range patterns {
			bad(p, "as a pattern", scope.CheckPattern(p))
			_, err := scope.Parse("secrets:read:" + p)
			bad(p, "in a scope", err)
			bad(p, "in a set's text", new(scope.Set).UnmarshalText([]byte("secrets:read:"+p)))
		}
		_, err := scope.JoinPath("a", p)
		bad(p, "by JoinPath", err)
		if strings.Contains(p, "/") {
			continue
		}
		_, err = scope.JoinPath(p, "a")
		bad(p, "by JoinPath", err)
	}
	t.Logf("%d spellings refused", len(all))
	for _, p := range []string{canary, "production/" + canary, "a/b-c/" + canary, "a/B_c/d.e/" + canary} {
		if err := scope.CheckPath(p); err != nil {
			t.Errorf("the base %q is refused, so the test proves nothing: %v", p, err)
		}
	}
}

// TestHostileBytes tries every byte and every rune of the basic plane as a segment.
func TestHostileBytes(t *testing.T) {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	for c := range 256 {
		s := string([]byte{byte(c)})
		want := strings.Contains(allowed, s)
		if got := scope.CheckPath("a"+s) == nil; got != want && s != "/" {
			t.Errorf("byte %#x: got %v, want %v", c, got, want)
		}
		if got := scope.CheckPath(s+"a") == nil; got != want {
			t.Errorf("byte %#x in front: got %v, want %v", c, got, want)
		}
	}
	for r := rune(0x80); r <= 0xffff; r++ {
		if scope.CheckPath("a"+string(r)+"b") == nil {
			t.Errorf("U+%04X was accepted", r)
		}
	}
}

func TestHostileScopes(t *testing.T) {
	bad := []string{
		"", " ", ":", "::", "secrets", "secrets:", "secrets::", "secrets:read", "secrets:read:", "secrets::x", "read:x", ":read:x",
		"secrets:read:production/a:b", "secrets:read,write:x", "secrets:read:x,y", "secrets:read:x:y", "secrets:read: x", "secrets: read:x",
		" secrets:read:x", "secrets:read:x ", "secrets:read :x", "secrets:read:x\n", "\ufeffsecrets:read:x", "secrets\u200b:read:x",
		"secrets:read:x secrets:read:y", "secrets:read:x\tsecrets:read:y", "secrets:read:x,secrets:read:y", "secrets:read:x;secrets:read:y",
		"secrets\uff1aread:x", "secrets:read\u02d0x", "secrets/read/x", "read:secrets", "write:secrets", "namespaces:read", "manage:agents",
		"secret:read:x", "secretss:read:x", "secrets:reads:x", "secrets:rea:x", "secrets:rotate:x", "secrets:admin:x", "secrets:deny:x",
		"!secrets:read:x", "-secrets:read:x", "secrets:!read:x", "secrets:read:!x", "secrets:**:x", "secrets:r*:x", "*:*:*", "*:read:x", "*",
		"secrets:*", "secrets:*:", "secrets:*:**", "secrets:*:x*", "secrets:read|write:x", "secrets:(read):x", "secrets:l\u0131st:x",
		"\u017fecrets:read:x", "secret\u017f:read:x", "secrets:u\u017fe:x", "secrets:li\u017ft:x", "secrets:\uff52ead:x", "secrets:re\u00adad:x",
		"secrets%3Aread%3Ax", "secrets:read:x\x00", "secrets\x00:read:x", "secrets:\x00read:x", "secrets:read\x00:x", "\"secrets:read:x\"",
		"secrets:read:/x", "secrets:read:x/", "secrets:read:/", "secrets:read:x//y", "secrets:read:..", "secrets:read:../*",
		"secrets:read:" + strings.Repeat("a", 1<<20), strings.Repeat("secrets:", 1<<17), "secrets:" + strings.Repeat("r", 1<<20) + ":x",
	}
	for _, word := range []string{"secrets:read:x", "secrets:use:x", "secrets:write:x", "secrets:delete:x", "secrets:list:x"} {
		end := strings.LastIndex(word, ":")
		for i := range end {
			if c := word[i]; c != ':' { // each letter in the other case, dropped, doubled
				bad = append(bad, word[:i]+strings.ToUpper(word[i:i+1])+word[i+1:], word[:i]+word[i+1:], word[:i+1]+word[i:])
			}
		}
		bad = append(bad, strings.ToUpper(word[:end])+word[end:])
	}
	for _, text := range bad {
		_, err := scope.Parse(text)
		if err == nil {
			t.Errorf("%.80q was accepted", text)
		}
		if _, err = scope.Parse("secrets:read:ok", text); err == nil || !strings.HasPrefix(err.Error(), "scope 2 of 2: ") {
			t.Errorf("%.80q as the second of two: %v", text, err)
		}
		if text != "" && text != "secrets:read:x secrets:read:y" && new(scope.Set).UnmarshalText([]byte(text)) == nil {
			t.Errorf("%.80q was unmarshalled", text)
		}
	}
	for _, token := range []string{"kw_tok_" + canary, "secrets:" + canary + ":x", "secrets:read:" + canary + "=", canary + ":read:x"} {
		if _, err := scope.Parse(token); err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
			t.Errorf("%q is quoted: %v", token, err)
		}
	}
}

// TestOneSpelling: two different paths are two secrets; what names one exactly does not match the other.
func TestOneSpelling(t *testing.T) {
	names := []string{
		"key", "Key", "KEY", "kEy", "key.", ".key", "key-", "key_", "key/a", "ke", "k/ey", "a/key", "key/A", "keY", "k.e.y", "key..", "key1", "key/key",
	}
	for _, a := range names {
		for _, b := range names {
			if got := scope.MustParse("secrets:*:"+a).Allows(scope.Read, b); got != (a == b) {
				t.Errorf("a scope for %q on %q: %v", a, b, got)
			}
		}
	}
}
