// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
)

var update = flag.Bool("update", false, "write testdata/vectors anew; vectors of a release must not change")

// vector is a file of testdata/vectors: header lines "name: value", a blank line, the body. The body is what is to be
// judged, byte for byte, and "expect" is the verdict: "ok" or "refuse". Kinds:
//
//	text        body: the record line that the Go-quoted "text", repeated "times" times, gives as a reason
//	record      body: a line and a newline that is not part of it
//	checkpoint  body: a checkpoint, for "key"; "head" is size and root in hex
//	export      body: an export, for "key" and, if given, the checkpoint of the vector named by "earlier"
type vector struct {
	name   string
	header map[string]string
	body   []byte
}

func readVectors(t testing.TB) (vectors []vector) {
	t.Helper()
	names, err := filepath.Glob("testdata/vectors/*.txt")
	if err != nil || len(names) < 40 {
		t.Fatalf("%d vectors, %v", len(names), err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		header, body, ok := strings.Cut(string(data), "\n\n")
		v := vector{strings.TrimSuffix(filepath.Base(name), ".txt"), map[string]string{}, []byte(body)}
		for line := range strings.SplitSeq(header, "\n") {
			key, value, found := strings.Cut(line, ": ")
			ok = ok && found
			v.header[key] = value
		}
		if e := v.header["expect"]; !ok || e != "ok" && e != "refuse" || v.header["why"] == "" {
			t.Fatalf("%s: malformed header", name)
		}
		if v.header["kind"] == "record" {
			v.body = bytes.TrimSuffix(v.body, []byte("\n"))
		}
		vectors = append(vectors, v)
	}
	return vectors
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	all := map[string]vector{}
	for _, v := range readVectors(t) {
		all[v.name] = v
	}
	for _, v := range all {
		t.Run(v.name, func(t *testing.T) {
			if err := judge(t, v, all); (err == nil) != (v.header["expect"] == "ok") {
				t.Errorf("expect %s (%s): %v", v.header["expect"], v.header["why"], err)
			}
		})
	}
}

func judge(t *testing.T, v vector, all map[string]vector) error {
	switch v.header["kind"] {
	case "text":
		text, err := strconv.Unquote(v.header["text"])
		if err != nil {
			t.Fatal(err)
		}
		times, _ := strconv.Atoi(v.header["times"])
		r := record(1)
		r.Reason = strings.Repeat(text, max(times, 1))
		line, err := r.MarshalJSON()
		if err == nil && string(line)+"\n" != string(v.body) {
			t.Errorf("got  %s\nwant %s", line, v.body)
		}
		return err
	case "record":
		_, err := audit.ParseRecord(v.body)
		return err
	case "checkpoint":
		h, err := audit.ParseCheckpoint(v.body, v.header["key"])
		if want := v.header["head"]; err == nil && fmt.Sprintf("%d %x", h.Size, h.Root) != want {
			t.Errorf("head %d %x, want %s", h.Size, h.Root, want)
		}
		return err
	case "export":
		var earlier [][]byte
		if name := v.header["earlier"]; name != "" {
			earlier = append(earlier, all[name].body)
		}
		_, err := audit.Verify(bytes.NewReader(v.body), v.header["key"], earlier...)
		return err
	}
	t.Fatalf("unknown kind %q", v.header["kind"])
	return nil
}
