// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keyward-go/keyward/audit"
)

// hostile is text that has broken logs and terminals elsewhere.
var hostile = []string{
	"a\nb", "a\rb", "a\r\nb", "\u2028", "\u2029", "\x00", "\x1b[2J", "\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\", "\a",
	"\u202egpj.exe", "\u2066x\u2069", "\u200b\u200f\ufeff\u061c", "\x7f\u0080\u009b1m\u009f", `"`, `\`, `\u0041`, `","op":"get`,
	"\xff", "a\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\ufffd", "<script>&'", "ü€😀\U000e0041", " ~", "\t\b\f\v",
}

func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := append([]string{"", "plain", "production/search/tavily-key", strings.Repeat("x", 300)}, hostile...)
	text := func() string {
		var b strings.Builder
		for range rng.IntN(4) {
			b.WriteString(pieces[rng.IntN(len(pieces))])
		}
		return strings.ToValidUTF8(b.String(), "\ufffd")
	}
	for i := range 20_000 {
		r := audit.Record{
			Seq: rng.Int64N(1 << rng.IntN(63)), Time: time.Unix(rng.Int64N(253402300800), rng.Int64N(1e9)).UTC(),
			Outcome: []audit.Outcome{audit.Granted, audit.Denied, audit.Failed}[rng.IntN(3)],
			Version: rng.IntN(3), Count: rng.IntN(3),
		}
		for range rng.IntN(4) {
			r.Uses = append(r.Uses, rng.IntN(1000))
		}
		v := reflect.ValueOf(&r).Elem()
		for j := range v.NumField() {
			if f := v.Field(j); f.Type() == reflect.TypeFor[string]() && rng.IntN(2) == 0 {
				f.SetString(text())
			}
		}
		for range rng.IntN(4) {
			if r.Metadata == nil {
				r.Metadata = map[string]string{}
			}
			r.Metadata[text()] = text()
		}
		line, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := audit.ParseRecord(line)
		if err != nil {
			t.Fatalf("record %d: %v\n%s", i, err, line)
		}
		if !reflect.DeepEqual(r, back) {
			t.Fatalf("record %d: got %#v\nwant %#v", i, back, r)
		}
		// An independent reader sees the same record.
		var other audit.Record
		if err := json.Unmarshal(line, &other); err != nil || !reflect.DeepEqual(r, other) {
			t.Fatalf("record %d: encoding/json reads another record (%v)\n%s", i, err, line)
		}
	}
}

func TestHostileText(t *testing.T) {
	for _, s := range append(hostile, strings.Repeat("\n", 1<<20), strings.Repeat("x", 1<<20)) {
		r := record(1)
		r.Reason = s
		r.Metadata = map[string]string{s: s}
		line := []byte(r.String())
		rest := line[:min(len(line), 1<<16)]
		for len(rest) > 0 {
			c, n := utf8.DecodeRune(rest)
			if c == utf8.RuneError && n == 1 || c < 0x20 || c != '\u00ad' && unicode.In(c, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
				t.Fatalf("%.20q: line has %q", s, c)
			}
			rest = rest[n:]
		}
		before := r
		before.Reason = ""
		if got, want := audit.EscapedLen(s), len(line)-len(before.String())-len(`,"reason":""`); got != want {
			t.Errorf("EscapedLen(%.20q) = %d, the line has %d", s, got, want)
		}
		_, err := audit.ParseRecord(line)
		if tooLong := len(line) > 16<<10; (err != nil) != tooLong {
			t.Errorf("%.20q: %v, line of %d bytes", s, err, len(line))
		}
		if _, err := r.MarshalJSON(); (err != nil) != (len(line) > 16<<10) {
			t.Errorf("%.20q: MarshalJSON: %v", s, err)
		}
		// Whatever fmt does with a record goes through String.
		if printed := fmt.Sprintf("%v %+v %s", r, r, r); len(line) < 1<<16 && strings.ContainsFunc(printed, unicode.IsControl) {
			t.Errorf("%.20q: printed with a control character", s)
		}
	}
}

func TestInvalidMetadataKeys(t *testing.T) {
	r := record(1)
	r.Metadata = map[string]string{"\xff": "second", "\xfe": "first", "\U0001f600": "x", "\ufffe": "y"}
	line := r.String()
	back, err := audit.ParseRecord([]byte(line))
	if err != nil {
		t.Fatalf("%v\n%s", err, line)
	}
	if back.Metadata["\ufffd"] != "first" || len(back.Metadata) != 3 {
		t.Errorf("metadata %q", back.Metadata)
	}
}

func TestParseRefuses(t *testing.T) {
	full := record(7)
	full.Metadata = map[string]string{"a": "1", "b": "2"}
	good := full.String()
	if _, err := audit.ParseRecord([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ why, old, new string }{
		{"newline at the end", "}}", "}}\n"},
		{"space", `{"seq"`, `{ "seq"`},
		{"leading zero", `"seq":7`, `"seq":07`},
		{"plus", `"seq":7`, `"seq":+7`},
		{"negative", `"seq":7`, `"seq":-7`},
		{"too large", `"seq":7`, `"seq":9223372036854775808`},
		{"float", `"seq":7`, `"seq":7.0`},
		{"no fraction", `.007000007Z`, `Z`},
		{"short fraction", `.007000007Z`, `.007Z`},
		{"other zone", `007Z`, `007+00:00`},
		{"no such day", `2026-11-20`, `2026-11-31`},
		{"no such month", `2026-11-20`, `2026-13-20`},
		{"leap second", `09:30:00`, `09:29:60`},
		{"letter for digit", `2026-11-20`, `202:-11-20`},
		{"lower-case t", `20T09`, `20t09`},
		{"unknown outcome", `"granted"`, `"allowed"`},
		{"empty outcome", `"granted"`, `""`},
		{"empty field", `"op":"use"`, `"op":"use","operator":""`},
		{"empty uses", `"uses":[8,0]`, `"uses":[]`},
		{"zero version", `"version":3`, `"version":0`},
		{"twice", `"agent":"`, `"agent":"x","agent":"`},
		{"other order", `"run":"run-4711","user":"u812"`, `"user":"u812","run":"run-4711"`},
		{"unknown field", `"op":"use"`, `"op":"use","value":"x"`},
		{"other case", `"op":`, `"Op":`},
		{"short escape", `\u0022`, `\"`},
		{"needless escape", `sources`, `\u0073ources`},
		{"upper-case escape", `sources`, `\u200Bsources`},
		{"lone surrogate", `sources`, `\ud800`},
		{"surrogate pair", `sources`, `\ud83d\ude00`},
		{"escape cut", `sources\u0022`, `sources\u002`},
		{"escape at the end", `sources\u0022`, `sources\`},
		{"raw control character", `sources`, "sour\tces"},
		{"raw line separator", `sources`, "sour\u2028ces"},
		{"invalid UTF-8", `sources`, "sour\xffces"},
		{"metadata order", `{"a":"1","b":"2"}`, `{"b":"2","a":"1"}`},
		{"metadata twice", `{"a":"1","b":"2"}`, `{"a":"1","a":"1"}`},
		{"empty metadata", `{"a":"1","b":"2"}`, `{}`},
		{"metadata comma", `"b":"2"}`, `"b":"2",}`},
		{"metadata number", `"b":"2"`, `"b":2`},
		{"behind the end", "}}", "}}}"},
		{"not closed", "}}", "}"},
		{"null", good, "null"},
		{"empty", good, ""},
		{"too long", `sources`, strings.Repeat("x", 16<<10)},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("%s: nothing replaced", c.why)
		}
		r, err := audit.ParseRecord([]byte(bad))
		if err == nil {
			t.Errorf("%s: accepted %s", c.why, bad)
		} else if !reflect.DeepEqual(r, audit.Record{}) || strings.Contains(err.Error(), "sour") {
			t.Errorf("%s: answer beside the error, or text in it: %v", c.why, err)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	for why, change := range map[string]func(*audit.Record){
		"outcome": func(r *audit.Record) { r.Outcome = "" },
		"seq":     func(r *audit.Record) { r.Seq = -1 },
		"version": func(r *audit.Record) { r.Version = -1 },
		"uses":    func(r *audit.Record) { r.Uses = []int{1, -1} },
		"future":  func(r *audit.Record) { r.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"past":    func(r *audit.Record) { r.Time = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) },
		"length":  func(r *audit.Record) { r.Reason = strings.Repeat("\n", 3<<10) },
	} {
		r := record(1)
		change(&r)
		if line, err := r.MarshalJSON(); err == nil || len(line) > 0 {
			t.Errorf("%s: accepted, or bytes beside the error", why)
		}
	}
	far := record(1)
	far.Time = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	if line := far.String(); !strings.Contains(line, `"9999-12-31T23:59:59.999999999Z"`) {
		t.Errorf("a time beyond the format is written as %s", line)
	}
	zone := record(1)
	zone.Time = zone.Time.In(time.FixedZone("x", 3600))
	if zone.String() != record(1).String() {
		t.Error("a record depends on the zone of its time")
	}
}

func TestParts(t *testing.T) {
	r := record(9)
	r.Metadata = map[string]string{"k": "v"}
	whole, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if parts := r.AppendRest(r.AppendOpening([]byte("x"))); string(parts) != "x"+string(whole) {
		t.Errorf("parts %s", parts)
	}
	// The rest does not depend on what only the committer knows.
	later := r
	later.Seq, later.Time, later.Outcome, later.Cause, later.Uses = 1, time.Time{}, audit.Denied, "scope", nil
	if !bytes.Equal(r.AppendRest(nil), later.AppendRest(nil)) {
		t.Error("the rest depends on the opening")
	}
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = r.AppendRest(r.AppendOpening(buf[:0])) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	r.Reason = "<&>"
	if err := e.Encode(r); err != nil || out.String() != r.String()+"\n" {
		t.Errorf("an encoder without HTML escaping writes %s (%v)", out.String(), err)
	}
}

// TestRecordTypes: a record cannot hold a thing that encodes itself, or bytes.
func TestRecordTypes(t *testing.T) {
	allowed := map[reflect.Type]bool{
		reflect.TypeFor[string](): true, reflect.TypeFor[int](): true, reflect.TypeFor[int64](): true,
		reflect.TypeFor[[]int](): true, reflect.TypeFor[time.Time](): true, reflect.TypeFor[audit.Outcome](): true,
		reflect.TypeFor[map[string]string](): true,
	}
	for f := range reflect.TypeFor[audit.Record]().Fields() {
		if !allowed[f.Type] {
			t.Errorf("Record.%s has type %v", f.Name, f.Type)
		}
	}
}
