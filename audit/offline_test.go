// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyward-go/keyward/audit"
)

const offline = "testdata/offline/main.go"

// TestOffline builds the program of the package comment and runs it on good exports and on mutated ones.
func TestOffline(t *testing.T) {
	program := filepath.Join(t.TempDir(), "offline")
	if out, err := exec.Command("go", "build", "-o", program, offline).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	run := func(export []byte, args ...string) (string, bool) {
		cmd := exec.Command(program, args...)
		cmd.Stdin = bytes.NewReader(export)
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	for _, size := range []int{0, 1, 2, 3, 7, 64, 100} {
		l := newLog(t, size)
		if out, ok := run(l.export(t), l.verifier); !ok {
			t.Errorf("%d records: %s", size, out)
		}
	}
	l := newLog(t, 50)
	root := func(size int) string { return tlog.Hash(l.head(size).Root).String() }
	for _, first := range []int{1, 2, 3, 22, 49, 50} {
		part := l.part(t, first, 50)
		if out, ok := run(part, l.verifier, root(first)); !ok {
			t.Errorf("from %d: %s", first, out)
		}
		for _, args := range [][]string{{l.verifier}, {l.verifier, root(first - 1)}, {l.verifier, ""}} {
			if out, ok := run(part, args...); ok {
				t.Errorf("from %d, taken for another: %s", first, out)
			}
		}
	}
	export := l.export(t)
	_, stranger := keys(origin, 8)
	if out, ok := run(export, stranger); ok {
		t.Errorf("another key: %s", out)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	records := bytes.Index(export, []byte("\n\n{")) + 2
	for i := range 20 {
		bad := append(append([]byte(nil), export[:records]...), mutate(rng, export[records:])...)
		if i%2 == 0 {
			bad = bundle(l.checkpoint(t, 50), mutateLines(rng, l.lines))
		}
		if bytes.Equal(bad, export) {
			continue
		}
		if out, ok := run(bad, l.verifier); ok {
			t.Errorf("mutation %d: %s", i, out)
		}
	}
	part := l.part(t, 22, 50)
	edge := bytes.Index(part, []byte("edge "))
	for i := range 20 {
		bad := append(append([]byte(nil), part[:edge]...), mutate(rng, part[edge:edge+150])...)
		if bad = append(bad, part[edge+150:]...); bytes.Equal(bad, part) {
			continue
		}
		if out, ok := run(bad, l.verifier, root(22)); ok {
			t.Errorf("mutation %d of the edge: %s", i, out)
		}
	}
}

// TestOfflineStandsAlone: the program needs nothing of ours, and the package comment shows it as it is.
func TestOfflineStandsAlone(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), offline, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && !strings.HasPrefix(path, "golang.org/x/mod/sumdb/") {
			t.Errorf("it imports %s", path)
		}
	}
	source, err := os.ReadFile(offline)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte("\n")); n > 80 {
		t.Errorf("it has %d lines", n)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "\n\n")
	var shown strings.Builder
	for line := range strings.Lines(body) {
		shown.WriteString(strings.ReplaceAll("//\t"+line, "\t\n", "\n"))
	}
	if !strings.Contains(string(doc), shown.String()) {
		t.Error("the package comment shows another program")
	}
}

// TestWorkedExample: line, root, checkpoint and key of the package comment belong together.
func TestWorkedExample(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.ParseRecord([]byte(`{"seq":0,"time":"2026-11-20T09:30:00.000000000Z","outcome":"granted","op":"get"}`))
	if err != nil {
		t.Fatal(err)
	}
	var tree audit.Tree
	tree.Append([]byte(r.String()))
	signer, verifier := keys(origin, 7)
	text, signature, _ := strings.Cut(string(sign(t, tree.Head(), signer)), "\n\n")
	edge, _ := tree.AppendText([]byte("edge "))
	for _, part := range append(strings.Split(text, "\n"), r.String(), strings.TrimSpace(signature), verifier, string(edge)) {
		if !strings.Contains(string(doc), "\n//\t"+part+"\n") {
			t.Errorf("the package comment does not have %s", part)
		}
	}
}
