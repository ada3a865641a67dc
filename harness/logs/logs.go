// SPDX-License-Identifier: Apache-2.0

// Package logs changes a log as its keeper might, and shows the result to the verifier, who holds the log's key and an
// earlier checkpoint. What the keeper can do without the signing key is to change bytes; with it, what follows the earlier
// checkpoint can be written anew, and nothing before.
package logs

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// Harness is the mutations.
var Harness = kit.Harness{
	Name:   "logs",
	About:  "logs edited, cut, reordered, forged and signed anew: none passes the verifier",
	Bug:    "the verifier forgets the earlier checkpoint",
	Stores: []string{"memory"},
	Short:  1000, Long: 10_000, Unit: "mutations",
	Run: run,
}

func run(ctx context.Context, r *kit.Run) error {
	l, err := newLog(ctx, r.Dir)
	if err != nil {
		return err
	}
	verify := func(e evidence) error {
		_, err := audit.VerifyFrom(e.from, bytes.NewReader(e.export), l.key, l.earlier)
		return err
	}
	if r.Bug {
		verify = func(e evidence) error {
			_, err := audit.VerifyFrom(e.from, bytes.NewReader(e.export), l.key)
			return err
		}
	}
	for _, e := range []evidence{l.whole(), l.part()} {
		if err := verify(e); err != nil {
			return kit.Violationf("the log as it is does not verify: %v", err)
		}
	}
	tried, passed := map[string]int{}, 0
	var first error
	for n := range r.Rounds {
		k := kinds[n%len(kinds)]
		e := k.mutate(l, r.Rand)
		tried[k.name]++
		if verify(e) == nil {
			if passed++; first == nil {
				first = kit.Violationf("mutation %d, %s, passes", n, k.name)
			}
		}
		r.Progress(n)
	}
	for _, k := range kinds {
		r.Figure(k.name, tried[k.name])
	}
	r.Figure("undetected", passed)
	return first
}

// log is the records of a vault under a key that the keeper holds too.
type log struct {
	lines       [][]byte
	origin      string
	signer, key string
	earlier     []byte // checkpoint that the verifier kept
}

const (
	kept = 30 // records of the earlier checkpoint
	cut  = 21 // where the log begins once it was archived
)

// newLog takes the records of a vault that was at work.
func newLog(ctx context.Context, dir string) (*log, error) {
	v, err := vault.Open(ctx, vault.Config{Store: memory.New(), Root: kms.KeyFile(dir + "/" + kit.KeyFile)})
	if err != nil {
		return nil, err
	}
	err = use(ctx, v)
	l := &log{}
	for r, failed := range v.Log().Records(ctx, audit.Filter{}) {
		line, bad := r.MarshalJSON()
		err = errors.Join(err, failed, bad)
		l.lines = append(l.lines, line)
	}
	l.origin, _, _ = strings.Cut(v.Log().Key(), "+")
	if err = errors.Join(err, v.Close()); err != nil {
		return nil, err
	}
	l.signer, l.key, err = note.GenerateKey(rand.Reader, l.origin)
	l.earlier = l.sign(l.lines[:kept])
	return l, err
}

func use(ctx context.Context, v *vault.Vault) (err error) {
	op := v.Operator("keeper")
	for i := range 12 {
		path := fmt.Sprint("production/key-", i)
		_, failed := op.Put(ctx, vault.Item{Path: path, Value: vault.NewSecret("value"), Reason: "rotate \"weekly\""})
		s, issuing := op.Issue(ctx, vault.Grant{Agent: "agent", Scopes: scope.MustParse("secrets:read:" + path), TTL: time.Hour, MaxUses: 3})
		if err = errors.Join(err, failed, issuing); err != nil {
			return err
		}
		_, failed = s.Get(ctx, vault.Request{Path: path, Call: fmt.Sprint("call-", i)})
		_, refused := v.Session(s.Token(), netip.Addr{}).Get(ctx, vault.Request{Path: "production/other"})
		if err = errors.Join(err, failed); err != nil || !errors.Is(refused, vault.ErrDenied) {
			return errors.Join(err, refused)
		}
	}
	return nil
}

// evidence is what a keeper hands over. from is the checkpoint of the archive that its verifier has, if the log begins at a cut.
type evidence struct{ export, from []byte }

func treeOf(lines [][]byte) (t audit.Tree) {
	for _, line := range lines {
		t.Append(line)
	}
	return t
}

// sign makes the checkpoint of a log of these lines.
func (l *log) sign(lines [][]byte) []byte { return l.signBy(lines, l.signer) }

func (l *log) signBy(lines [][]byte, signer string) []byte {
	tree := treeOf(lines)
	checkpoint, err := audit.Sign(tree.Head(), l.origin, signer)
	if err != nil {
		panic(err) // of a key that was just made
	}
	return checkpoint
}

// bundle is an export: a checkpoint, the edge behind the lines that are not there, and lines.
func bundle(checkpoint []byte, edge []byte, lines [][]byte) []byte {
	out := append(bytes.Clone(checkpoint), '\n')
	out = append(out, edge...)
	for _, line := range lines {
		out = append(append(out, line...), '\n')
	}
	return out
}

func edgeLine(t audit.Tree) []byte {
	text, err := t.AppendText([]byte("edge "))
	if err != nil {
		panic(err) // it never fails
	}
	return append(text, '\n')
}

// whole is the export of the log; part that of one which was archived up to the cut.
func (l *log) whole() evidence { return evidence{bundle(l.sign(l.lines), nil, l.lines), nil} }

func (l *log) part() evidence {
	return evidence{bundle(l.sign(l.lines), edgeLine(treeOf(l.lines[:cut])), l.lines[cut:]), l.sign(l.lines[:cut])}
}
