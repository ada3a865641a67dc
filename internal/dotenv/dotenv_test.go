// SPDX-License-Identifier: Apache-2.0

package dotenv

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct{ line, want string }{
		"plain":                 {`K=abc`, "abc"},
		"export":                {`export K=abc`, "abc"},
		"a key named export":    {`export =x`, "x"},
		"space around":          {" \tK = abc \t", "abc"},
		"space inside":          {`K=a b  c`, "a b  c"},
		"comment":               {`K=abc # def`, "abc"},
		"comment behind a tab":  {"K='abc'\t# def", "abc"},
		"carriage return":       {"K=abc\r", "abc"},
		"empty":                 {`K=`, ""},
		"empty, quoted":         {`K=""`, ""},
		"only a comment":        {`K= # later`, ""},
		"dollar":                {`K=a$HOME${X}$(id)` + "`id`", "a$HOME${X}$(id)`id`"},
		"backslash":             {`K=a\nb`, `a\nb`},
		"equals sign":           {`K=YWJj==`, "YWJj=="},
		"single":                {`K='a # "b" \n $X '`, `a # "b" \n $X `},
		"double":                {`K="a # 'b' $X "`, `a # 'b' $X `},
		"escapes":               {`K="\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, "\"\\/\b\f\n\r\té😀"},
		"not ASCII":             {`K=clé`, "clé"},
		"not ASCII, comment":    {`K=clé # x`, "clé"},
		"not ASCII, in between": {`K='clés' # x`, "clés"},
		"replacement, written":  {"K=a\ufffd", "a\ufffd"},

		"lines, double":       {"K=\"abc\r\n def=\n\n\\\\\n\" # x", "abc\n def=\n\n\\\n"},
		"lines, single":       {"K=  'abc\n\"def\\ \n'\nL=x", "abc\n\"def\\ \n"},
		"lines, other quotes": {"K='abc\nit\"s\n'", "abc\nit\"s\n"},
		"quote in a comment":  {"K=abc # it's\nL=x", "abc"},

		"lines, a key inside":   {"K='abc\nL=def\nM=x'", "\x00"},
		"lines, export inside":  {"K=\"abc\nexport L='def'\n\"", "\x00"},
		"lines, a value behind": {"K=\"abc\ndef\"abc", "\x00"},
		"lines, a hash behind":  {"K=\"abc\ndef\"#abc", "\x00"},
		"lines, a quote behind": {"K='abc\ndon't\n'", "\x00"},
		"lines, escaped end":    {"K=\"abc\\\ndef\"", "\x00"},
		"lines, many":           {"K='" + strings.Repeat("x\n", 100_000) + "'", strings.Repeat("x\n", 100_000)},

		"JSON, quoted":               {`K='{"a":"b c","d":"it is"}' # def`, `{"a":"b c","d":"it is"}`},
		"a single quote in double":   {`K="it's"`, "it's"},
		"quote in a comment, behind": {`K="a" # it's "b"`, "a"},

		"JSON, as it is":           {`K={"abc":"b c"}`, "\x00"},
		"JSON, an array":           {`K=["abc"]`, "\x00"},
		"quotes inside":            {`K=pa"ss"abc`, "\x00"},
		"quote inside":             {`K=it's abc`, "\x00"},
		"quote at the end":         {`K=abc"`, "\x00"},
		"quote behind a backslash": {`K=abc\"def`, "\x00"},
		"quote behind quotes":      {`K="abc"y"`, "\x00"},
		"word behind quotes":       {`K='abc'def`, "\x00"},
		"word behind a space":      {`K="abc" def`, "\x00"},
		"doubled single quote":     {`K='abc''s'`, "\x00"},
		"doubled double quote":     {`K="abc""def"`, "\x00"},
		"pieces":                   {`K='abc'"def"x`, "\x00"},
		"pieces, quote last":       {`K=abc'def'`, "\x00"},
		"control in a comment":     {"K=abc # x\rL=def", "\x00"},
		"tab, no quotes":           {"K=abc\tdef", "\x00"},
		"hash behind a hard space": {"K=abc\u00a0#def", "\x00"},

		"no equals sign":   {`K abc`, "\x00"},
		"no key":           {`=abc`, "\x00"},
		"slash":            {`a/b=abc`, "\x00"},
		"dots":             {`..=abc`, "\x00"},
		"space in a key":   {`a b=abc`, "\x00"},
		"long key":         {strings.Repeat("k", 65) + `=abc`, "\x00"},
		"hash":             {`K=abc#def`, "\x00"},
		"hash at once":     {`K=#abc`, "\x00"},
		"hash behind":      {`K='abc'#def`, "\x00"},
		"open double":      {`K="abc`, "\x00"},
		"open single":      {`K='abc`, "\x00"},
		"open escape":      {`K="abc\`, "\x00"},
		"unknown escape":   {`K="abc\$"`, "\x00"},
		"half a pair":      {`K="abc\ud800"`, "\x00"},
		"wrong other half": {`K="abc\ud800\u0041"`, "\x00"},
		"tab":              {"K='abc\tdef'", "\x00"},
		"zero":             {"K=abc\x00", "\x00"},
		"not UTF-8":        {"K=abc\xff", "\x00"},
		"longest line":     {"K=" + strings.Repeat("x", maxFile-3), strings.Repeat("x", maxFile-3)},
		"byte order mark":  {"\ufeffK=abc", "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(tt.line + "\n"))
			switch {
			case tt.want == "\x00" && err == nil:
				t.Errorf("%d entries, want an error", len(got))
			case tt.want == "\x00" && (strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "def")):
				t.Errorf("the error quotes the value: %v", err)
			case tt.want == "\x00":
			case err != nil || len(got) < 1 || got[0].Value != tt.want:
				t.Errorf("%+v, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// TestBadLines: every bad line is named, by number and key, and none by what it holds.
func TestBadLines(t *testing.T) {
	_, err := Parse(strings.NewReader(`# keys
GOOD=canary
canary

OPEN_AI=canary#canary
JSON={"canary":"canary"}
QUOTED="canary"canary
GOOD=canary2
a/canary=x
PEM="-----BEGIN-----
canaryMIIE=#=
-----END-----"
`))
	const want = `line 3: it has no =
line 5, OPEN_AI: a # in the value: put the value in single quotes, or a space in front of a comment
line 6, JSON: the value has a quote and is not quoted as a whole: put the whole value in single quotes, or if it has a ' in double quotes, with \" for " and \\ for \
line 7, QUOTED: something stands behind the closing quote that is no comment with a space in front: put the whole value in single quotes, or if it has a ' in double quotes, with \" for " and \\ for \
line 8, GOOD: the key stands on line 2 already
line 9: the key is not one segment of a path: 1 to 64 of A-Z a-z 0-9 . _ - and not only dots
line 10, PEM: a quote is not closed, or the next key stands inside of it; multi-line values: use keyward set PATH --file FILE`
	if fmt.Sprint(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestBounds(t *testing.T) {
	line := "# " + strings.Repeat("x", 61) + "\n" // 64 bytes
	full := strings.Repeat(line, maxFile/len(line))
	if _, err := Parse(strings.NewReader(full)); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	if _, err := Parse(strings.NewReader(full + "\n")); err == nil {
		t.Error("more than 1 MiB is taken")
	}
	if _, err := Parse(failing{}); !errors.Is(err, errRead) {
		t.Errorf("a reader that fails: %v", err)
	}
}

var errRead = errors.New("read")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errRead }

func TestFormat(t *testing.T) {
	for value, want := range map[string]string{
		"":                  "K=\n",
		"tvly-abc_1":        "K=tvly-abc_1\n",
		"a$b #c":            "K='a$b #c'\n",
		" a":                "K=' a'\n",
		"it's\n\"\\\t\x00é": `K="it's\n\"\\\u0009\u0000é"` + "\n",
		"clé":               "K='clé'\n",
		"it's $(id)":        `K="it's \u0024(id)"` + "\n",
		"`id`\n'$X":         `K="\u0060id\u0060\n'\u0024X"` + "\n",
		`{"a":"b c"}`:       `K='{"a":"b c"}'` + "\n",
		"a\ufffdb":          "K='a\ufffdb'\n",
	} {
		if got, err := Format("K", value); got != want || err != nil {
			t.Errorf("%q: %s, %v; want %s", value, got, err, want)
		}
	}
	for name, e := range map[string]Entry{
		"key": {Key: "a/b", Value: "x"}, "not UTF-8": {Key: "K", Value: "abc\xff"}, "long": {Key: "K", Value: strings.Repeat("x", maxFile-2)},
	} {
		if _, err := Format(e.Key, e.Value); err == nil {
			t.Errorf("%s is formatted", name)
		}
	}
}

// FuzzParse: what Parse takes, Format writes such that Parse reads the same; and what Format writes of any value, Parse reads.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"K=abc\nexport L='x y' # z", `K="\ud83d\ude00\n"`, "K=clé # x", "K=a#b", "K='a\nb'", "K=\"a\n\\\\\" # x", "=\n\n#", "K=\"\\u00\"", "a.b-c=\ufffd\r\n",
		`K={"a":"b c"}`, `K=pa"ss"word`, `K="x"y`, `K='it''s'`, `K='{"a":"b c"}'`, "K='a'\t# b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		roundTrip(t, Entry{Key: "K", Value: text})
		entries, err := Parse(strings.NewReader(text))
		if err != nil && entries != nil {
			t.Error("entries beside an error")
		}
		for _, e := range entries {
			roundTrip(t, e)
		}
	})
}

func roundTrip(t *testing.T, e Entry) {
	t.Helper()
	line, err := Format(e.Key, e.Value)
	if err != nil {
		return
	}
	again, err := Parse(strings.NewReader(line))
	if err != nil || len(again) != 1 || again[0].Key != e.Key || again[0].Value != e.Value {
		t.Errorf("%+v was written as %q and read as %+v, %v", e, line, again, err)
	}
}
