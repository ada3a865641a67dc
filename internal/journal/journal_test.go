// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"slices"
	"testing"
)

var odd = [][]byte{
	[]byte(`{"seq":0}`), []byte(`{}`), []byte(`{ "a" : [ 1, {"b":"}]\"\\"} ] }`), []byte(`{"a":"<>&"}`), []byte("{\"a\":\n1}"), []byte(`{"a":1}{}`), []byte(`{"a"}`), []byte(`{]}`),
	[]byte(`[1]`), []byte(`"x"`), []byte(`1`), []byte(`null`), []byte(` {}`), {}, {0}, {0xff, 0xfe}, []byte("l"), []byte(`{"a":1}}`), []byte("{\"a\":\"\xff\"}"), []byte("{\"a\":1}\r"), []byte("{\"a\":\"\x7f\"}"),
}

func oddCommit() (c Commit) {
	for i, b := range odd {
		c.Rows = append(c.Rows, Row{"k:" + string(rune('a'+i)), int64(i), NewDatum(b)})
		c.Lines = append(c.Lines, NewDatum(b))
	}
	c.Rows = append(c.Rows, Row{Key: "x:a/b:1"}, Row{"quote\" back\\ tab\t é \u2028", 1 << 59, NewDatum([]byte("1"))})
	return c
}

func TestRoundTrip(t *testing.T) {
	c := oddCommit()
	c.Keep, c.Dropped = 7, 1<<50
	line, sum := Sum{}.Seal(c.AppendTo(nil))
	if bytes.IndexByte(line, '\n') != len(line)-1 {
		t.Fatalf("a line with a newline inside: %q", line)
	}
	text, n, ok := Sum{}.Open(line)
	if !ok || n != sum {
		t.Fatal("it does not open")
	}
	var got Commit
	if err := got.Parse(text); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for i, l := range got.Lines {
		if b, err := l.Bytes(); err != nil || !bytes.Equal(b, odd[i]) {
			t.Errorf("%q came back as %q, %v", odd[i], b, err)
		}
	}
	same := func(a, b Row) bool {
		return a.Key == b.Key && a.Seq == b.Seq && bytes.Equal(a.Data, b.Data) && (a.Data == nil) == (b.Data == nil)
	}
	if !slices.EqualFunc(got.Rows, c.Rows, same) || got.Keep != c.Keep || got.Dropped != c.Dropped {
		t.Errorf("%s came back as %v", text, got)
	}
}

// TestVector is the format itself: lines that must always be written so.
func TestVector(t *testing.T) {
	c := Commit{
		Rows:  []Row{{"s:a/b", 3, NewDatum([]byte(`{"next":2}`))}, {"x:a/b:1", 3, NewDatum([]byte{1, 2, 3})}, {Key: "x:a/b:0"}},
		Lines: []Datum{NewDatum([]byte(`{"seq":3}`)), NewDatum([]byte("l"))},
	}
	first, sum := Sum{}.Seal(c.AppendTo(nil))
	second, _ := sum.Seal((&Commit{Keep: 2, Dropped: 5}).AppendTo(nil))
	const want = `{"rows":[{"key":"s:a/b","seq":3,"data":{"next":2}},{"key":"x:a/b:1","seq":3,"data":"AQID"},{"key":"x:a/b:0"}],"lines":[{"seq":3},"bA=="]} f0f09159807e02c6` + "\n" +
		`{"keep":2,"dropped":5,"rows":[],"lines":[]} 84056974b31ad71e` + "\n"
	if got := string(first) + string(second); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestEveryBit: no change of a bit, and no cut, is a line; and a line fits behind one line only.
func TestEveryBit(t *testing.T) {
	c := oddCommit()
	before := Sum{}.Next([]byte("before"))
	line, _ := before.Seal(c.AppendTo(nil))
	for i := range len(line) * 8 {
		bad := bytes.Clone(line)
		bad[i/8] ^= 1 << (i % 8)
		if _, _, ok := before.Open(bad); ok {
			t.Errorf("bit %d of %q", i, bad)
		}
	}
	for n := range line {
		if _, _, ok := before.Open(line[:n]); ok {
			t.Errorf("cut at %d", n)
		}
	}
	if _, _, ok := (Sum{}).Open(line); ok {
		t.Error("it opens at the beginning too")
	}
}

func TestMalformed(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `{"rows":[],"lines":[]} `, ` {"rows":[],"lines":[]}`, `{"lines":[],"rows":[]}`, `{"rows":[],"lines":[],"x":1}`, `{"rows":[,],"lines":[]}`, `{"rows":[],"lines":[{},]}`,
		`{"rows":[],"lines":[{} {}]}`, `{"rows":[],"lines":[null]}`, `{"rows":[],"lines":["a]}`, `{"rows":[],"lines":[{"a"]}`, `{"keep":0,"rows":[],"lines":[]}`, `{"keep":-1,"rows":[],"lines":[]}`,
		`{"rows":[{"key":"a","seq":01,"data":{}}],"lines":[]}`, `{"rows":[{"key":"a","seq":-1,"data":{}}],"lines":[]}`, `{"rows":[{"key":"a","seq":1}],"lines":[]}`, `{"rows":[{"key":"","seq":1,"data":{}}],"lines":[]}`,
		"{\"rows\":[{\"key\":\"\xff\",\"seq\":1,\"data\":{}}],\"lines\":[]}", `{"rows":[{"key":"\u0000"}],"lines":[]}`, `{"rows":[{"seq":1,"key":"a","data":{}}],"lines":[]}`, `{"rows":[{"key":"a","seq":1,"data":1}],"lines":[]}`,
		`{"rows":[{"key":"a","seq":9999999999999999999,"data":{}}],"lines":[]}`,
	} {
		var c Commit
		if err := c.Parse([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, c)
		}
	}
	for _, d := range []string{``, `"`, `"bA"`, `"bB=="`, "\"bA==\n\"", "\"bA==\r\"", `"?"`} {
		if b, err := Datum(d).Bytes(); err == nil {
			t.Errorf("%q is read as %q", d, b)
		}
	}
}

// FuzzParse: what is read is written so that it reads alike.
func FuzzParse(f *testing.F) {
	c := oddCommit()
	f.Add(c.AppendTo(nil))
	f.Add([]byte(`{"keep":3,"dropped":9,"rows":[{"key":"a"}],"lines":[]}`))
	f.Add([]byte(`{"rows":[{"key":"\u0061\n"}],"lines":[{"a":"}\""}]}`))
	f.Add([]byte(`{"rows":[],"lines":["e30=",{{]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c Commit
		if c.Parse(text) != nil {
			return
		}
		once := c.AppendTo(nil)
		if err := c.Parse(once); err != nil {
			t.Fatalf("%q is written as %q: %v", text, once, err)
		}
		if again := c.AppendTo(nil); !bytes.Equal(again, once) {
			t.Fatalf("%q is written as %q", once, again)
		}
	})
}
