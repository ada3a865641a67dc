// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// writeVectors makes the files of testdata/vectors. The bad ones are good ones with one thing wrong.
func writeVectors(t *testing.T) {
	write := func(name, body string, header ...string) {
		if err := os.WriteFile("testdata/vectors/"+name+".txt", []byte(strings.Join(header, "\n")+"\n\n"+body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll("testdata/vectors", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"newline": "a\nb", "cr": "a\rb", "line-separator": "a\u2028b\u2029", "nul": "a\x00b", "escape": "\x1b[31mred\x1b[0m",
		"osc8": "\x1b]8;;http://x.example\x1b\\click\x1b]8;;\x1b\\", "bel": "\a", "rtl-override": "\u202efdp.exe", "c1": "\u009b31m\u0085",
		"zero-width": "a\u200bb\ufeff", "isolates": "\u2066x\u2069\u061c", "invalid-utf8": "a\xffb\xc3", "surrogate": "\xed\xa0\x80",
		"quotes": `"},{"seq":9,"\`, "html": "<a href='x'>&</a>", "letters": "Grüße, 世界 😀",
	} {
		r := record(1)
		r.Reason = text
		write("text-"+name, r.String()+"\n", "kind: text", "expect: ok", "why: hostile text in a reason", "text: "+strconv.QuoteToASCII(text))
	}
	write("text-1mib", "", "kind: text", "expect: refuse", "why: a line has at most 16 KiB", `text: "x"`, "times: 1048576")

	full := record(7)
	full.Metadata = map[string]string{"a": "1", "b": "2"}
	good := full.String()
	write("record-full", good+"\n", "kind: record", "expect: ok", "why: written by version 1")
	small := full
	small.Uses, small.Op, small.Agent, small.Run, small.User, small.Token, small.Path = nil, "", "", "", "", "", ""
	small.Version, small.Method, small.Host, small.Addr, small.Reason, small.Call, small.Metadata = 0, "", "", "", "", "", nil
	write("record-small", small.String()+"\n", "kind: record", "expect: ok", "why: zero fields are left out, seq, time, outcome and op are not")
	for name, c := range map[string][3]string{
		"order":       {"fields have one order", `"run":"run-4711","user":"u812"`, `"user":"u812","run":"run-4711"`},
		"twice":       {"a field stands once", `"agent":"`, `"agent":"x","agent":"`},
		"unknown":     {"unknown field", `"op":"use"`, `"op":"use","value":"x"`},
		"space":       {"no spaces", `"op":"use"`, `"op": "use"`},
		"empty":       {"zero fields are left out", `"op":"use"`, `"op":"use","operator":""`},
		"zone":        {"times are UTC", `007Z`, `007+00:00`},
		"fraction":    {"times have nine decimals", `.007000007Z`, `.007Z`},
		"day":         {"no such day", `2026-11-20`, `2026-11-31`},
		"zero":        {"no leading zero", `"seq":7`, `"seq":07`},
		"escape":      {"nothing else is escaped", `sources`, `\u0073ources`},
		"short":       {"escapes are u and four digits", `\u0022`, `\"`},
		"upper":       {"hex is lower-case", `sources`, `\u200Bsources`},
		"surrogates":  {"letters beyond U+FFFF stand as they are", `sources`, `\ud83d\ude00`},
		"control":     {"control characters are escaped", `sources`, "sour\tces"},
		"separator":   {"line separators are escaped", `sources`, "sour\u2028ces"},
		"utf8":        {"text is UTF-8", `sources`, "sour\xffces"},
		"metadata":    {"metadata keys are sorted", `{"a":"1","b":"2"}`, `{"b":"2","a":"1"}`},
		"nested":      {"metadata are strings", `"b":"2"`, `"b":{}`},
		"outcome":     {"three outcomes", `"granted"`, `"allowed"`},
		"behind":      {"nothing behind the end", `"}}`, `"}}{}`},
		"cut":         {"cut", `"}}`, `"}`},
		"replacement": {"U+FFFD itself stands as it is", `sources`, `\ufffd`},
	} {
		bad := strings.Replace(good, c[1], c[2], 1)
		if bad == good {
			t.Fatalf("%s: nothing replaced", name)
		}
		write("record-bad-"+name, bad+"\n", "kind: record", "expect: refuse", "why: "+c[0])
	}

	l := newLog(t, 5)
	key := "key: " + l.verifier
	for _, size := range []int{0, 3, 5} {
		h := l.head(size)
		write(fmt.Sprintf("checkpoint-%d", size), string(l.checkpoint(t, size)), "kind: checkpoint", "expect: ok", "why: written by version 1", key, fmt.Sprintf("head: %d %x", h.Size, h.Root))
	}
	witness, _ := keys("witness.example", 9)
	checkpoint := string(l.checkpoint(t, 3))
	text, signature, _ := strings.Cut(checkpoint, "\n\n")
	_, other, _ := strings.Cut(string(signText(t, text+"\n", witness)), "\n\n")
	h := l.head(3)
	write("checkpoint-witness", checkpoint+other, "kind: checkpoint", "expect: ok", "why: lines by others are not looked at", key, fmt.Sprintf("head: %d %x", h.Size, h.Root))
	signed := func(text string) string { return string(signText(t, text, l.signer)) }
	root := strings.Split(text, "\n")[2]
	_, stranger := keys(origin, 8)
	for name, c := range map[string][2]string{
		"witness-only": {"the key has not signed", text + "\n\n" + other},
		"twice":        {"one line by the key", checkpoint + signature},
		"bits":         {"base64 has one spelling", strings.Replace(checkpoint, signature[len(signature)-3:], string(signature[len(signature)-3]+1)+"=\n", 1)},
		"size":         {"the size is signed", strings.Replace(checkpoint, "\n3\n", "\n4\n", 1)},
		"zero":         {"no leading zero", signed(origin + "\n03\n" + root + "\n")},
		"negative":     {"no negative size", signed(origin + "\n-3\n" + root + "\n")},
		"extension":    {"no extension lines in version 1", signed(text + "\nx\n")},
		"origin":       {"the origin is the key's name", signed("keyward/0\n3\n" + root + "\n")},
		"root":         {"base64 has one spelling", signed(origin + "\n3\n" + root[:42] + string(root[42]+1) + "=\n")},
		"empty":        {"the empty log has one root", signed(origin + "\n0\n" + root + "\n")},
		"cut":          {"cut", checkpoint[:len(checkpoint)-1]},
	} {
		write("checkpoint-bad-"+name, c[1], "kind: checkpoint", "expect: refuse", "why: "+c[0], key)
	}
	write("checkpoint-bad-key", checkpoint, "kind: checkpoint", "expect: refuse", "why: another key of the same name", "key: "+stranger)

	export := string(l.export(t))
	empty := newLog(t, 0)
	write("export-5", export, "kind: export", "expect: ok", "why: written by version 1", key, "earlier: checkpoint-3")
	write("export-0", string(empty.export(t)), "kind: export", "expect: ok", "why: an empty log", key, "earlier: checkpoint-0")
	forked := record(2)
	forked.Reason = "other"
	lines := append(append([][]byte{}, l.lines[:2]...), append([][]byte{[]byte(forked.String())}, l.lines[3:]...)...)
	fork := string(bundle(sign(t, headOf(lines), l.signer), lines))
	write("export-rewritten", fork, "kind: export", "expect: ok", "why: the keeper signed other records, and nobody kept an earlier checkpoint", key)
	for name, c := range map[string][2]string{
		"rewritten": {"does not begin with the log of the earlier checkpoint", fork},
		"short":     {"shorter than the earlier checkpoint", string(bundle(l.checkpoint(t, 2), l.lines[:2]))},
		"edited":    {"a record was edited", strings.Replace(export, "sources", "nothing", 1)},
		"dropped":   {"a record was dropped", strings.Replace(export, string(l.lines[3])+"\n", "", 1)},
		"cut":       {"the last record was cut", strings.Replace(export, string(l.lines[4])+"\n", "", 1)},
		"newline":   {"the last newline was cut", export[:len(export)-1]},
		"appended":  {"a record was appended", export + record(5).String() + "\n"},
		"behind":    {"an unknown part behind the records", export + "\nhashes\n"},
		"blank":     {"no blank line behind the checkpoint", strings.Replace(export, "\n\n{", "\n{", 1)},
	} {
		write("export-bad-"+name, c[1], "kind: export", "expect: refuse", "why: "+c[0], key, "earlier: checkpoint-3")
	}
	write("export-bad-key", string(bytes.Clone([]byte(export))), "kind: export", "expect: refuse", "why: another key of the same name", "key: "+stranger)
}
