// SPDX-License-Identifier: Apache-2.0

package kms_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// bent is a root of a user's own, whose answers a test replaces.
type bent struct {
	vault.RootKey
	encrypt, decrypt func(ctx context.Context, answer []byte, err error) ([]byte, error) // given the right answer
}

func (b bent) EncryptWithContext(ctx context.Context, p, d []byte) ([]byte, error) {
	out, err := b.RootKey.EncryptWithContext(ctx, p, d)
	if b.encrypt == nil {
		return out, err
	}
	return b.encrypt(ctx, out, err)
}

func (b bent) DecryptWithContext(ctx context.Context, c, d []byte) ([]byte, error) {
	out, err := b.RootKey.DecryptWithContext(ctx, c, d)
	if b.decrypt == nil {
		return out, err
	}
	return b.decrypt(ctx, out, err)
}

func answers(err error) func(context.Context, []byte, error) ([]byte, error) {
	return func(context.Context, []byte, error) ([]byte, error) { return nil, err }
}

// until hangs, with or without respect for ctx.
func until(ctx context.Context, _ []byte, _ error) ([]byte, error) {
	<-ctx.Done()
	return nil, errors.Join(vault.ErrKMSUnavailable, ctx.Err())
}

func TestEitherOpensWithAny(t *testing.T) {
	a, b := kms.Wrapper(aeadWrapper(t, "key-a")), kms.Wrapper(aeadWrapper(t, "key-b"))
	sealed := seal(t, kms.Either(a, b))
	missing := bent{a, nil, answers(vault.ErrNoKey)}
	other, another := kms.Wrapper(aeadWrapper(t, "key-c")), kms.CheapPassphrase(vault.NewSecret("correct horse battery"))
	away := func(r vault.RootKey) vault.RootKey { return bent{r, nil, answers(vault.ErrKMSUnavailable)} }
	for _, c := range []struct {
		name  string
		roots []vault.RootKey
		want  error // nil: it opens
	}{
		{"both", []vault.RootKey{a, b}, nil},
		{"other order", []vault.RootKey{b, a}, nil},
		{"first alone", []vault.RootKey{a}, nil},
		{"second alone", []vault.RootKey{b}, nil},
		{"behind seven others", []vault.RootKey{other, another, missing, away(a), away(b), other, other, b}, nil},
		{"first away", []vault.RootKey{away(a), b}, nil},
		{"second away", []vault.RootKey{a, away(b)}, nil},
		{"first has another key", []vault.RootKey{other, b}, nil},
		{"first has no key", []vault.RootKey{missing, b}, nil},
		{"first claims tampering", []vault.RootKey{bent{a, nil, answers(vault.ErrTampered)}, b}, nil},
		{"first lies", []vault.RootKey{bent{a, nil, func(context.Context, []byte, error) ([]byte, error) { return make([]byte, 32), nil }}, b}, nil},
		{"first answers nothing", []vault.RootKey{bent{a, nil, answers(nil)}, b}, nil},
		{"first panics", []vault.RootKey{bent{a, nil, func(context.Context, []byte, error) ([]byte, error) { panic("boom") }}, b}, nil},
		{"first ends its goroutine", []vault.RootKey{bent{a, nil, func(context.Context, []byte, error) ([]byte, error) { runtime.Goexit(); return nil, nil }}, b}, nil},
		{"first is a nil pointer", []vault.RootKey{(*bent)(nil), b}, nil},

		{"others only", []vault.RootKey{other, another}, vault.ErrWrongKey},
		{"one away", []vault.RootKey{other, away(b)}, vault.ErrKMSUnavailable},
		{"one away before one without key", []vault.RootKey{missing, away(b)}, vault.ErrKMSUnavailable},
		{"one without key", []vault.RootKey{other, missing}, vault.ErrNoKey},
		{"no key before tampering", []vault.RootKey{bent{a, nil, answers(vault.ErrTampered)}, missing}, vault.ErrNoKey},
		{"tampering before wrong key", []vault.RootKey{other, bent{a, nil, answers(vault.ErrTampered)}}, vault.ErrTampered},
		{"a user's own error", []vault.RootKey{other, bent{a, nil, answers(os.ErrProcessDone)}}, os.ErrProcessDone},
		{"lies only", []vault.RootKey{bent{a, nil, func(context.Context, []byte, error) ([]byte, error) { return make([]byte, 32), nil }}}, vault.ErrTampered},
	} {
		p, err := kms.Either(c.roots...).DecryptWithContext(t.Context(), sealed, data)
		if !errors.Is(err, c.want) || err == nil != bytes.Equal(p, plaintext) {
			t.Errorf("%s: %q, %v; want %v", c.name, p, err, c.want)
		}
		for _, s := range []error{vault.ErrKMSUnavailable, vault.ErrNoKey, vault.ErrTampered, vault.ErrWrongKey} {
			if err != nil && s != c.want && errors.Is(err, s) {
				t.Errorf("%s: it is %v too: %v", c.name, s, err)
			}
		}
		if err != nil && len(c.roots) == 2 && (!strings.Contains(err.Error(), "root 1: ") || !strings.Contains(err.Error(), "root 2: ")) {
			t.Errorf("%s: it does not say why of each: %v", c.name, err)
		}
	}
}

// The next root is asked when one has had its time, and not before.
func TestEitherWithRootsThatHang(t *testing.T) {
	for _, c := range []struct {
		name     string
		hang     int           // so many roots before the good one
		deadline time.Duration // 0: none
		took     time.Duration
		want     error
	}{
		{"none hangs", 0, 0, 0, nil},
		{"one, no deadline", 1, 0, time.Second, nil},
		{"one", 1, time.Minute, time.Second, nil},
		{"three", 3, time.Minute, 3 * time.Second, nil},
		{"one, little time", 1, 500 * time.Millisecond, 250 * time.Millisecond, nil},
		{"seven, little time", 7, 800 * time.Millisecond, 700 * time.Millisecond, nil},
		{"all", 8, 3 * time.Second, 3 * time.Second, vault.ErrKMSUnavailable},
		{"all, little time", 8, 10 * time.Millisecond, 10 * time.Millisecond, vault.ErrKMSUnavailable},
	} {
		for _, stubborn := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				good := kms.Wrapper(aeadWrapper(t, "good"))
				sealed := seal(t, kms.Either(good))
				release := make(chan struct{})
				hanging := bent{good, nil, until}
				if stubborn {
					hanging.decrypt = func(context.Context, []byte, error) ([]byte, error) { <-release; return nil, nil }
				}
				roots := slices.Repeat([]vault.RootKey{hanging}, c.hang)
				if c.hang < 8 {
					roots = append(roots, good)
				}
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel func()
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				start := time.Now()
				p, err := kms.Either(roots...).DecryptWithContext(ctx, sealed, data)
				if took := time.Since(start); took != c.took || !errors.Is(err, c.want) || err == nil != bytes.Equal(p, plaintext) {
					t.Errorf("%s: %q, %v after %v; want %v after %v", c.name, p, err, took, c.want, c.took)
				}
				if c.want != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", c.name, err)
				}
				close(release) // whatever still runs ends now, or the bubble reports it
			})
		}
	}
}

// A root that only is slow opens it, if the spare cannot; and a spare is not asked without need.
func TestEitherAsksInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := kms.Wrapper(aeadWrapper(t, "good"))
		var spare atomic.Int32
		count := func(_ context.Context, b []byte, err error) ([]byte, error) { spare.Add(1); return b, err }
		other := bent{kms.Wrapper(aeadWrapper(t, "other")), nil, count}
		r := kms.Either(good, other)
		sealed := seal(t, r)
		spare.Store(0)
		if _, err := r.DecryptWithContext(t.Context(), sealed, data); err != nil || spare.Load() != 0 {
			t.Errorf("%v, %d calls of the spare", err, spare.Load())
		}
		slow := bent{good, nil, func(_ context.Context, b []byte, err error) ([]byte, error) {
			time.Sleep(5 * time.Second)
			return b, err
		}}
		lost := kms.Wrapper(aeadWrapper(t, "lost"))
		start := time.Now()
		if _, err := kms.Either(slow, lost).DecryptWithContext(t.Context(), sealed, data); err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("slow: %v after %v", err, time.Since(start))
		}
	})
}

func TestEitherSealsAllOrNothing(t *testing.T) {
	good, bad := kms.Wrapper(aeadWrapper(t, "good")), kms.Wrapper(aeadWrapper(t, "bad"))
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		root vault.RootKey
		want error
	}{
		{"error", bent{bad, answers(boom), nil}, boom},
		{"away", bent{bad, answers(vault.ErrKMSUnavailable), nil}, vault.ErrKMSUnavailable},
		{"nothing", bent{bad, answers(nil), nil}, vault.ErrKMSUnavailable},
		{"too much", bent{bad, func(context.Context, []byte, error) ([]byte, error) { return make([]byte, 4097), nil }, nil}, vault.ErrKMSUnavailable},
		{"panic", bent{bad, func(context.Context, []byte, error) ([]byte, error) { panic("boom") }, nil}, vault.ErrKMSUnavailable},
		{"ended goroutine", bent{bad, func(context.Context, []byte, error) ([]byte, error) { runtime.Goexit(); return nil, nil }, nil}, vault.ErrKMSUnavailable},
		{"may not open", bent{bad, nil, answers(boom)}, boom},
		{"opens as something else", bent{bad, nil, func(context.Context, []byte, error) ([]byte, error) { return make([]byte, 32), nil }}, vault.ErrKMSUnavailable},
		{"empty passphrase", kms.CheapPassphrase(vault.NewSecret("")), vault.ErrNoKey},
	} {
		for _, roots := range [][]vault.RootKey{{c.root, good}, {good, c.root}} {
			if b, err := kms.Either(roots...).EncryptWithContext(t.Context(), plaintext, data); b != nil || !errors.Is(err, c.want) {
				t.Errorf("%s: %d bytes, %v", c.name, len(b), err)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if b, err := kms.Either(good, bent{bad, until, nil}).EncryptWithContext(ctx, plaintext, data); b != nil || !errors.Is(err, vault.ErrKMSUnavailable) || time.Since(start) != 3*time.Second {
			t.Errorf("one hangs: %d bytes, %v after %v", len(b), err, time.Since(start))
		}
	})
}

func TestEitherOfWrongRoots(t *testing.T) {
	r := kms.Wrapper(aeadWrapper(t, "key"))
	sealed := seal(t, r)
	for name, c := range map[string]struct {
		root vault.RootKey
		want error
	}{
		"none":   {kms.Either(), vault.ErrNoKey},
		"nil":    {kms.Either(r, nil), vault.ErrNoKey},
		"nine":   {kms.Either(slices.Repeat([]vault.RootKey{r}, 9)...), vault.ErrInvalid},
		"nested": {kms.Either(r, kms.Either(r)), vault.ErrInvalid},
	} {
		if b, err := c.root.EncryptWithContext(t.Context(), plaintext, data); b != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: sealed: %v", name, err)
		}
		if b, err := c.root.DecryptWithContext(t.Context(), sealed, data); b != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: opened: %v", name, err)
		}
	}
	eight := kms.Either(slices.Repeat([]vault.RootKey{r}, 8)...)
	if _, err := eight.DecryptWithContext(t.Context(), seal(t, eight), data); err != nil {
		t.Errorf("eight: %v", err)
	}
}

// Who knows the format puts the digest right, and is found all the same, by either root.
func TestEitherEveryChangeWithItsDigest(t *testing.T) {
	a, b := kms.Wrapper(aeadWrapper(t, "key-a")), kms.CheapPassphrase(vault.NewSecret("correct horse battery"))
	sealed := seal(t, kms.Either(a, b))
	roots := map[string]vault.RootKey{"first": kms.Either(a), "second": kms.Either(b), "both": kms.Either(a, b), "swapped": kms.Either(b, a)}
	memory := bytes.Index(sealed, []byte("P\x01\x00\x00\x00\x01")) + 6
	for at := range len(sealed) - 32 {
		if at >= memory && at < memory+4 {
			continue // up to 1 GiB at each flip; TestPassphrase has it
		}
		c := bytes.Clone(sealed)
		c[at] ^= 1 << (at % 8)
		c = digested(c[:len(c)-32])
		for name, r := range roots {
			if p, err := r.DecryptWithContext(t.Context(), c, data); p != nil || !refusal(err) {
				t.Errorf("%s: byte %d: %q, %v", name, at, p, err)
			}
		}
	}
}

// One root that opens is enough to know that the rest was changed. Each is shown its own part first, and whole parts only.
func TestEitherAsksNoMoreThanItMust(t *testing.T) {
	a, b := kms.Wrapper(aeadWrapper(t, "key-a")), kms.Wrapper(aeadWrapper(t, "key-b"))
	calls := 0
	counted := bent{b, nil, func(_ context.Context, p []byte, err error) ([]byte, error) { calls++; return p, err }}
	sealed := seal(t, kms.Either(a, b))
	away := bent{a, nil, answers(vault.ErrKMSUnavailable)}
	if _, err := kms.Either(away, counted).DecryptWithContext(t.Context(), sealed, data); err != nil || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-40] ^= 1
	changed = digested(changed[:len(changed)-32])
	if _, err := kms.Either(away, b).DecryptWithContext(t.Context(), changed, data); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("changed, and one away: %v", err)
	}
	calls = 0
	for name, blob := range map[string][]byte{
		"digest":     append(bytes.Clone(sealed[:len(sealed)-1]), sealed[len(sealed)-1]^1),
		"long part":  digested(append([]byte("E\x01\x01\x00\x00\x10\x01"), make([]byte, 5000)...)),
		"empty part": digested(append([]byte("E\x01\x01\x00\x00\x00\x00"), make([]byte, 5000)...)),
		"cut part":   digested([]byte("E\x01\x02\x00\x00\x00\x01x\x00\x00\x01\x00x")),
		"nine parts": digested(append([]byte("E\x01\x09"), bytes.Repeat([]byte("\x00\x00\x00\x01x"), 20)...)),
		"no digest":  []byte("E\x01\x01"),
	} {
		if _, err := kms.Either(counted).DecryptWithContext(t.Context(), blob, data); !errors.Is(err, vault.ErrTampered) || calls != 0 {
			t.Errorf("%s: %d calls, %v", name, calls, err)
		}
	}
}

// A key file inside an Either is made for a new vault or a new root, and never in place of a lost one.
func TestEitherMakesKeyFilesOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("key files need owners and modes")
	}
	dir := t.TempDir()
	old, path := kms.KeyFile(filepath.Join(dir, "old")), filepath.Join(dir, "new")
	alone := seal(t, old)
	open := func(r vault.RootKey, b []byte) {
		t.Helper()
		if p, err := r.DecryptWithContext(t.Context(), b, data); err != nil || !bytes.Equal(p, plaintext) {
			t.Fatalf("%q, %v", p, err)
		}
	}

	r := kms.Either(old, kms.KeyFile(path)) // given to every process first: it opens what the old root sealed
	open(r, alone)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("opening made a key file: %v", err)
	}
	both := seal(t, r) // the new root: its file is made
	open(kms.Either(kms.KeyFile(path)), both)
	open(r, both)
	seal(t, r) // a rotation

	key, err := os.ReadFile(path)
	if err != nil || os.Remove(path) != nil {
		t.Fatal(err)
	}
	open(r, both) // the other key is there
	if b, err := r.EncryptWithContext(t.Context(), plaintext, data); b != nil || !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("sealed without the lost key: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("sealing made another key: %v", err)
	}
	restarted := kms.Either(old, kms.KeyFile(path))
	open(restarted, both)
	if b, err := restarted.EncryptWithContext(t.Context(), plaintext, data); b != nil || !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("sealed without the lost key after a restart: %v", err)
	}
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}
	seal(t, restarted)

	open(r, alone) // the way back: what one root seals alone is opened as before
	if os.Remove(path) != nil {
		t.Fatal("remove")
	}
	open(kms.Either(old, kms.KeyFile(filepath.Join(dir, "newer"))), seal(t, kms.Either(old, kms.KeyFile(filepath.Join(dir, "newer")))))
}

func TestVaultUnderEither(t *testing.T) {
	a, b := aeadWrapper(t, "key-a"), aeadWrapper(t, "key-b")
	store := &kept{memory.New()}
	v, err := vault.Open(t.Context(), vault.Config{Store: store, Root: kms.Either(kms.Wrapper(a), kms.Wrapper(b))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Operator("test").Put(t.Context(), vault.Item{Path: "a/b", Value: vault.NewSecret("value")}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	lost := fake{Wrapper: a, decrypt: func(*wrapping.BlobInfo, []byte) ([]byte, error) {
		return nil, errors.New("key is scheduled for deletion")
	}}
	for name, root := range map[string]vault.RootKey{
		"first alone":  kms.Either(kms.Wrapper(a)),
		"second alone": kms.Either(kms.Wrapper(b)),
		"swapped":      kms.Either(kms.Wrapper(b), kms.Wrapper(a)),
		"first lost":   kms.Either(kms.Wrapper(lost), kms.Wrapper(b)),
	} {
		v, err := vault.Open(t.Context(), vault.Config{Store: store, Root: root})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if item, err := v.Operator("test").Get(t.Context(), vault.Request{Path: "a/b"}); err != nil || item.Value.Reveal() != "value" {
			t.Errorf("%s: %v", name, err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		root vault.RootKey
		want error
	}{
		"the first root itself": {kms.Wrapper(a), vault.ErrWrongKey},
		"another key":           {kms.Either(kms.Wrapper(aeadWrapper(t, "key-c"))), vault.ErrWrongKey},
		"lost and no spare":     {kms.Either(kms.Wrapper(lost)), vault.ErrKMSUnavailable},
	} {
		if _, err := vault.Open(t.Context(), vault.Config{Store: store, Root: c.root}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// kept is a store that outlives the vaults that close it.
type kept struct{ *memory.Store }

func (*kept) Close() error { return nil }
