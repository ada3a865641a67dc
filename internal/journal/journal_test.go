// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"slices"
	"testing"
)

var odd = [][]byte{
	[]byte(`{"seq":0}`), []byte(`{}`), []byte(`{ "a" : [ 1, {"b":"}]\"\\"} ] }`), []byte(`{"a":"<>&"}`), []byte("{\"a\":\n1}"), []byte(`{"a":1}{}`), []byte(`{"a"}`), []byte(`{]}`),
	[]byte(`[1]`), []byte(`"x"`), []byte(`1`), []byte(`null`), []byte(` {}`), {}, {0}, {0xff, 0xfe}, []byte("l"), []byte(`{"a":1}}`), []byte("{\"a\":\"\xff\"}"), []byte("{\"a\":1}\r"),
}

func TestRoundTrip(t *testing.T) {
	var rows []Row
	for i, b := range odd {
		rows = append(rows, Row{"k:" + string(rune('a'+i)), int64(i), b})
	}
	rows = append(rows, Row{"x:a/b:1", 1 << 60, nil}, Row{"quote\" back\\ tab\t é \u2028", 0, []byte("1")})
	for n := range len(rows) + 1 {
		line := Append([]byte("before"), rows[:n], odd[:min(n, len(odd))])[len("before"):]
		if bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Fatalf("a line with a newline inside: %q", line)
		}
		text, err := Open(line)
		if err != nil {
			t.Fatal(err)
		}
		gotRows, gotLines, err := Parse(text)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		same := func(a, b Row) bool {
			return a.Key == b.Key && a.Seq == b.Seq && bytes.Equal(a.Data, b.Data) && (a.Data == nil) == (b.Data == nil)
		}
		if !slices.EqualFunc(gotRows, rows[:n], same) || !slices.EqualFunc(gotLines, odd[:min(n, len(odd))], bytes.Equal) {
			t.Fatalf("%q came back as %v, %q", text, gotRows, gotLines)
		}
	}
}

// TestVector is the format itself: a line that must always be written so.
func TestVector(t *testing.T) {
	rows := []Row{{"s:a/b", 3, []byte(`{"next":2}`)}, {"x:a/b:1", 3, []byte{1, 2, 3}}, {"x:a/b:0", 3, nil}}
	const want = `{"rows":[{"key":"s:a/b","seq":3,"data":{"next":2}},{"key":"x:a/b:1","seq":3,"data":"AQID"},{"key":"x:a/b:0","seq":3,"data":null}],"lines":[{"seq":3},"bA=="]} 4092f139f6e699e0` + "\n"
	if got := Append(nil, rows, [][]byte{[]byte(`{"seq":3}`), []byte("l")}); string(got) != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// TestEveryBit: no change of a bit, and no cut, is a line.
func TestEveryBit(t *testing.T) {
	line := Append(nil, []Row{{"s:a/b", 3, []byte(`{"next":2}`)}, {"x:a", 1, []byte{9}}}, [][]byte{[]byte(`{"seq":3}`)})
	for i := range len(line) * 8 {
		bad := bytes.Clone(line)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := Open(bad); err == nil {
			t.Errorf("bit %d of %q", i, bad)
		}
	}
	for n := range line {
		if _, err := Open(line[:n]); err == nil {
			t.Errorf("cut at %d", n)
		}
	}
}

func TestSecondSpellings(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `{"rows":[],"lines":[]} `, ` {"rows":[],"lines":[]}`, `{"lines":[],"rows":[]}`, `{"rows":[],"lines":[],"x":1}`, `{"rows":[,],"lines":[]}`, `{"rows":[],"lines":[{},]}`,
		`{"rows":[],"lines":[{} {}]}`, `{"rows":[],"lines":["e30="]}`, `{"rows":[],"lines":["bB=="]}`, `{"rows":[],"lines":["bA"]}`, `{"rows":[],"lines":["bA==\n"]}`, `{"rows":[],"lines":[null]}`, `{"rows":[],"lines":[{"a"}]}`,
		`{"rows":[{"key":"a","seq":01,"data":null}],"lines":[]}`, `{"rows":[{"key":"a","seq":-1,"data":null}],"lines":[]}`, `{"rows":[{"key":"a","seq":+1,"data":null}],"lines":[]}`,
		`{"rows":[{"key":"\u0061","seq":1,"data":null}],"lines":[]}`, `{"rows":[{"key":"\t","seq":1,"data":null}],"lines":[]}`, "{\"rows\":[{\"key\":\"\xff\",\"seq\":1,\"data\":null}],\"lines\":[]}",
		`{"rows":[{"seq":1,"key":"a","data":null}],"lines":[]}`, `{"rows":[{"key":"a","seq":1,"data":1}],"lines":[]}`, `{"rows":[{"key":"a","seq":99999999999999999999,"data":null}],"lines":[]}`,
	} {
		if rows, lines, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q is read as %v, %q", text, rows, lines)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"rows":[{"key":"s:a","seq":3,"data":{"next":2}},{"key":"x:a:1","seq":3,"data":"AQID"}],"lines":[{"seq":3},"bA=="]}`))
	f.Add([]byte(`{"rows":[{"key":"a","seq":0,"data":null}],"lines":[]}`))
	f.Add([]byte(`{"rows":[],"lines":[{"a":"}\""}]}`))
	f.Add([]byte(`{"rows":[],"lines":["e30="]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, lines, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Open(Append(nil, rows, lines))
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q is written as %q", text, again)
		}
	})
}
