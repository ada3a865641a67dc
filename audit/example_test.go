// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// exampleLog is a log of three records and its keys. A vault keeps the log, and only it knows the signer key.
func exampleLog() (lines [][]byte, signer, verifier string) {
	for i, path := range []string{"production/search/tavily-key", "production/mail/smtp", "production/search/tavily-key"} {
		r := audit.Record{
			Seq: int64(i), Time: time.Date(2026, 11, 20, 9, 30, i, 0, time.UTC), Outcome: audit.Granted,
			Op: "get", Agent: "researcher", Path: path, Version: 1, Reason: "daily report",
		}
		line, err := r.MarshalJSON()
		if err != nil {
			panic(err)
		}
		lines = append(lines, line)
	}
	signer, verifier = keys(origin, 7)
	return lines, signer, verifier
}

func ExampleRecord() {
	r := audit.Record{
		Seq: 0, Time: time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC), Outcome: audit.Granted, Uses: []int{1},
		Op: "use", Agent: "researcher", Path: "production/search/tavily-key", Version: 3,
		Method: "POST", Host: "api.tavily.com", Reason: "look up \"sources\"\x1b[2J",
	}
	fmt.Println(r)
	// Output:
	// {"seq":0,"time":"2026-11-20T09:30:00.000000000Z","outcome":"granted","uses":[1],"op":"use","agent":"researcher","path":"production/search/tavily-key","version":3,"method":"POST","host":"api.tavily.com","reason":"look up \u0022sources\u0022\u001b[2J"}
}

func ExampleSign() {
	var t audit.Tree
	t.Append([]byte(`{"seq":0,"time":"2026-11-20T09:30:00.000000000Z","outcome":"granted","op":"get"}`))
	signer, verifier := keys(origin, 7)
	checkpoint, err := audit.Sign(t.Head(), origin, signer)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s", checkpoint)
	h, err := audit.ParseCheckpoint(checkpoint, verifier)
	fmt.Println(h.Size, h == t.Head(), err)
	// Output:
	// keyward/00112233445566778899aabbccddeeff
	// 1
	// PBU0I1wkNQirkjWJ9/wMGQrzVKsf6jugBvIZjjfQyzw=
	//
	// — keyward/00112233445566778899aabbccddeeff wx2JblMSUiq2QwFFjdkFlwi4u9FPYG3+HPOt5Xsoa0hooEeTXl8TvuqerGOutguYZeb6gZo7myLDHvMb7k6HoZYC+AI=
	// 1 true <nil>
}

// An auditor keeps the checkpoint of each visit. What it covers cannot be changed without the auditor seeing it at the
// next.
func ExampleVerify() {
	lines, signer, key := exampleLog()
	read := func(from int64, n int) ([][]byte, error) {
		return lines[from:min(from+int64(n), int64(len(lines)))], nil
	}
	export := func() []byte {
		var t audit.Tree
		for _, line := range lines {
			t.Append(line)
		}
		checkpoint, err := audit.Sign(t.Head(), origin, signer)
		if err != nil {
			panic(err)
		}
		var out bytes.Buffer
		if err := audit.WriteExport(&out, checkpoint, audit.Tree{}, t.Head().Size, read); err != nil {
			panic(err)
		}
		return out.Bytes()
	}

	first := export()
	head, err := audit.Verify(bytes.NewReader(first), key)
	fmt.Println(head.Size, err)
	kept, err := audit.ReadCheckpoint(bytes.NewReader(first))
	if err != nil {
		panic(err)
	}

	// The keeper drops the last record and signs what is left.
	lines = lines[:2]
	_, err = audit.Verify(bytes.NewReader(export()), key, kept)
	fmt.Println(err)
	// Output:
	// 3 <nil>
	// record 2: the log is shorter than an earlier checkpoint
}

// One record is proven without the others.
func ExampleProveRecord() {
	lines, signer, key := exampleLog()
	read := func(from int64, n int) ([][]byte, error) {
		return lines[from:min(from+int64(n), int64(len(lines)))], nil
	}

	// The keeper.
	var t audit.Tree
	for _, line := range lines {
		t.Append(line)
	}
	checkpoint, _ := audit.Sign(t.Head(), origin, signer)
	proof, err := audit.ProveRecord(1, 3, audit.Tree{}, read)
	if err != nil {
		panic(err)
	}

	// Whoever is shown line, checkpoint and proof.
	head, err := audit.ParseCheckpoint(checkpoint, key)
	if err != nil {
		panic(err)
	}
	fmt.Println(audit.CheckRecord(lines[1], 1, head, proof))
	fmt.Println(audit.CheckRecord(lines[0], 1, head, proof))
	// Output:
	// <nil>
	// record 1: the line has another number
}

// A log only ever grows: the proof leads from the checkpoint of the last visit to the new one.
func ExampleProveConsistent() {
	lines, _, _ := exampleLog()
	read := func(from int64, n int) ([][]byte, error) {
		return lines[from:min(from+int64(n), int64(len(lines)))], nil
	}
	var t audit.Tree
	t.Append(lines[0])
	old := t.Head()
	t.Append(lines[1])
	t.Append(lines[2])

	proof, err := audit.ProveConsistent(old.Size, t.Head().Size, audit.Tree{}, read)
	if err != nil {
		panic(err)
	}
	text, _ := proof.MarshalText()
	fmt.Printf("%s", text)
	fmt.Println(audit.CheckConsistent(old, t.Head(), proof))
	// Output:
	// 2sALIl1MOkQN48326uObKbVENda35SWzEebCGH6lkf8=
	// 9nTFJZJn0OD4//rQ0qgCk3/CF1LrkQqH4HXRotYl34c=
	// <nil>
}

func ExampleWriter() {
	w := &audit.Writer{W: os.Stdout}
	err := w.Audit(context.Background(), []audit.Record{
		{Seq: 7, Time: time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC), Outcome: audit.Denied, Cause: "scope", Op: "get", Path: "production/x"},
	})
	fmt.Println(err)
	// Output:
	// {"seq":7,"time":"2026-11-20T09:30:00.000000000Z","outcome":"denied","cause":"scope","op":"get","path":"production/x"}
	// <nil>
}

// The records among the program's own log: the level tells how each ended.
func ExampleLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, nil))
	a := audit.Logger{Handler: logger.Handler()}
	err := a.Audit(context.Background(), []audit.Record{
		{Seq: 7, Time: time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC), Outcome: audit.Denied, Cause: "scope", Op: "get", Path: "production/x", Reason: "look it up\nlevel=INFO"},
	})
	fmt.Println(err)
	// Output:
	// time=2026-11-20T09:30:00.000Z level=WARN msg=get seq=7 outcome=denied cause=scope path=production/x reason="look it up\\u000alevel=INFO"
	// <nil>
}
