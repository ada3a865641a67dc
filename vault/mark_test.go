// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// markStore is a store in memory with a head file. Its Close leaves it open to others.
type markStore struct {
	*memory.Store
	lock sync.Mutex // held from the commit until the Mark is written

	mu         sync.Mutex
	marks      [][]byte // written, the newest last
	beforeMark func()   // runs once, between a commit and its Mark
	onMark     func() ([]byte, error)
}

func newMarkStore(s *memory.Store, marks ...[]byte) *markStore {
	return &markStore{Store: s, marks: marks}
}

func (s *markStore) Close() error { return nil }

func (s *markStore) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	var mark []byte
	err := s.Store.Update(ctx, since, func(changed []vault.Row) (vault.Batch, error) {
		b, err := fn(changed)
		mark = bytes.Clone(b.Mark)
		return b, err
	})
	if err != nil || mark == nil {
		return err
	}
	if f := s.beforeMark; f != nil {
		s.beforeMark = nil
		f()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks = append(s.marks, mark)
	return nil
}

func (s *markStore) newest() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.marks) == 0 {
		return nil
	}
	return bytes.Clone(s.marks[len(s.marks)-1])
}

func (s *markStore) Mark(context.Context) ([]byte, error) {
	s.mu.Lock()
	f := s.onMark
	s.mu.Unlock()
	if f != nil {
		return f()
	}
	return s.newest(), nil
}

func (s *markStore) open(t testing.TB) (*vault.Vault, error) {
	t.Helper()
	v, err := vault.Open(t.Context(), vault.Config{Store: s, Root: seededRoot(t, 1)})
	if err == nil {
		t.Cleanup(func() { _ = v.Close() })
	}
	return v, err
}

// marked is a vault in a store with a head file, which has a revoked token, and all that both held at each head.
type marked struct {
	*markStore
	at  []dump // by size, from 1
	bad vault.Token
}

func newMarked(t testing.TB) *marked {
	t.Helper()
	m := &marked{markStore: newMarkStore(memory.New()), at: make([]dump, 1)}
	step := func(err error) {
		t.Helper()
		must(t, err)
		m.at = append(m.at, dumpOf(t, m))
	}
	v, err := m.markStore.open(t)
	step(err)
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	step(nil)
	s := mustIssue(t, op, reader(0))
	step(nil)
	for range 3 {
		wantValue(t, s, bedPath, "value", 1)
		step(nil)
	}
	step(op.Revoke(t.Context(), linkOf(t, s), "stolen"))
	m.bad = s.Token()
	must(t, v.Close())
	if len(m.marks) != len(m.at)-1 {
		t.Fatalf("%d marks of %d heads", len(m.marks), len(m.at)-1)
	}
	return m
}

// mark is what the head file held at a size of the log.
func (m *marked) mark(size int) []byte { return m.marks[size-1] }

// TestMark: what Open says of a store and a head file that do not belong to one moment.
func TestMark(t *testing.T) {
	m := newMarked(t)
	end := len(m.at) - 1
	other := newMarked(t)
	opens := func(name string, d dump, mark []byte, want error) {
		t.Helper()
		s := newMarkStore(d.store(t))
		if mark != nil {
			s.marks = [][]byte{mark}
		}
		_, err := s.open(t)
		if !errors.Is(err, want) || err != nil && want == nil {
			t.Errorf("%s: opened with %v, want %v", name, err, want)
		}
		if !dumpOf(t, s).equal(d) {
			t.Errorf("%s: Open wrote something", name)
		}
	}
	for size := 1; size <= end; size++ {
		for mark := 1; mark <= end; mark++ {
			var want error // a mark that was written late, or both put back: nothing here can tell
			if mark > size {
				want = vault.ErrRollback // the tail was cut, or the store put back alone
			}
			opens(fmt.Sprintf("the store at %d, the head file at %d", size, mark), m.at[size], m.mark(mark), want)
		}
		want := vault.ErrRollback
		if size == 1 {
			want = nil // a crash came between the first commit and its mark
		}
		opens(fmt.Sprintf("the store at %d, a head file without a mark", size), m.at[size], nil, want)
		opens(fmt.Sprintf("the store at %d, the head file of another vault", size), m.at[size], other.mark(1), vault.ErrTampered)
		opens(fmt.Sprintf("the store at %d, an empty mark", size), m.at[size], []byte{}, vault.ErrTampered)
	}
	for _, mark := range [][]byte{m.mark(end), {}, []byte("nonsense")} {
		s := newMarkStore(memory.New(), mark)
		if _, err := s.open(t); !errors.Is(err, vault.ErrRollback) {
			t.Errorf("an empty store beside a head file: opened with %v", err)
		}
		wantEmpty(t, s.Store)
	}

	control := newMarkStore(m.at[end-1].store(t), m.mark(end-1))
	v, err := control.open(t)
	must(t, err)
	wantValue(t, v.Session(m.bad, netip.Addr{}), bedPath, "value", 1)
	t.Log("control: store and head file that are both put back open, and the revoked token reads again: that needs an anchor")
}

// TestMarkFlipped: each bit, each length.
func TestMarkFlipped(t *testing.T) {
	m := newMarked(t)
	d, mark := m.at[4], m.mark(3)
	refused := func(name string, mark []byte) {
		t.Helper()
		_, err := newMarkStore(d.store(t), mark).open(t)
		if !errors.Is(err, vault.ErrTampered) && !errors.Is(err, vault.ErrRollback) {
			t.Errorf("%s: opened with %v", name, err)
		}
	}
	for i := range len(mark) * 8 {
		flipped := bytes.Clone(mark)
		flipped[i/8] ^= 1 << (i % 8)
		refused(fmt.Sprintf("bit %d of byte %d", i%8, i/8), flipped)
	}
	for n := range mark {
		refused(fmt.Sprintf("cut at %d", n), mark[:n])
	}
	refused("a byte more", append(bytes.Clone(mark), 0))
	refused("twice", append(bytes.Clone(mark), mark...))
	if n := len(mark); n > 440 {
		t.Errorf("a mark of %d bytes does not fit a slot", n)
	}
}

// TestMarkFork: the store went on from an older copy, past the size that the head file knows.
func TestMarkFork(t *testing.T) {
	m := newMarked(t)
	fork := newMarkStore(m.at[3].store(t), m.mark(3))
	v, err := fork.open(t)
	must(t, err)
	for range 10 {
		mustPut(t, v.Operator("keeper"), bedPath, "other")
	}
	must(t, v.Close())
	fork.marks = [][]byte{m.mark(5)}
	if _, err := fork.open(t); !errors.Is(err, vault.ErrRollback) {
		t.Errorf("opened with %v", err)
	}
}

// holedStore has lost the lines of a log but for the last.
type holedStore struct{ *markStore }

func (s holedStore) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	if n > 1 {
		return nil, nil
	}
	return s.markStore.Lines(ctx, from, n)
}

// TestMarkUnread: a head file, or a log behind it, that cannot be read is no head file that says nothing.
func TestMarkUnread(t *testing.T) {
	m := newMarked(t)
	end := len(m.at) - 1
	for name, f := range map[string]func() ([]byte, error){
		"error": func() ([]byte, error) { return nil, errDevice },
		"panic": func() ([]byte, error) { panic("Mark") },
		"both":  func() ([]byte, error) { return m.mark(end), errDevice },
	} {
		for _, d := range []dump{m.at[end], {}} {
			s := newMarkStore(d.store(t))
			s.onMark = f
			if _, err := s.open(t); err == nil || errors.Is(err, vault.ErrRollback) || errors.Is(err, vault.ErrTampered) {
				t.Errorf("%s: opened with %v", name, err)
			}
			if !dumpOf(t, s).equal(d) {
				t.Errorf("%s: Open wrote something", name)
			}
		}
	}
	s := holedStore{newMarkStore(m.at[end].store(t), m.mark(2))}
	if _, err := vault.Open(t.Context(), vault.Config{Store: s, Root: seededRoot(t, 1)}); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("a log with a hole: opened with %v", err)
	}
}

// TestMarkAfterCrash: where a crash came between the first commit and its mark, Open brings the mark, so that another crash
// between the next commit and its mark is not taken for a deletion.
func TestMarkAfterCrash(t *testing.T) {
	m := newMarked(t)
	s := newMarkStore(m.at[1].store(t))
	v, err := s.open(t)
	must(t, err)
	if !bytes.Equal(s.newest(), m.mark(1)) {
		t.Fatalf("Open wrote the mark %x, want %x", s.newest(), m.mark(1))
	}
	mustPut(t, v.Operator("keeper"), bedPath, "value")
	crashed := newMarkStore(dumpOf(t, s).store(t), s.marks[0])
	_, err = crashed.open(t)
	must(t, err)
	verifies(t, v)
}

// TestMarkAtCreation: two processes open the store at the very moment at which one of them makes the vault.
func TestMarkAtCreation(t *testing.T) {
	t.Run("the commit is there, its mark is not", func(t *testing.T) {
		s := newMarkStore(memory.New())
		opened := make(chan error, 1)
		s.beforeMark = func() {
			asked := make(chan struct{})
			go func() {
				_, err := (&markStoreView{markStore: s, asked: asked}).open(t)
				opened <- err
			}()
			<-asked // it has read the head file and the rows
		}
		_, err := s.open(t)
		must(t, err)
		must(t, <-opened)
	})
	for behind := range 4 {
		for later := range 3 {
			t.Run(fmt.Sprintf("%d commits while it opens, %d while it looks again", behind, later), func(t *testing.T) {
				s := newMarkStore(memory.New())
				var first *vault.Vault
				call := func(n int) {
					for range n {
						mustPut(t, first.Operator("keeper"), bedPath, "value")
					}
				}
				second := &markStoreView{markStore: s}
				second.marks = []func() ([]byte, error){
					func() ([]byte, error) {
						var err error
						first, err = s.open(t)
						must(t, err)
						call(behind)
						return nil, nil // as it was before
					},
					func() ([]byte, error) {
						call(later)
						return s.newest(), nil
					},
				}
				v, err := second.open(t)
				must(t, err)
				mustPut(t, v.Operator("keeper"), bedPath, "of the second")
				verifies(t, v)
			})
		}
	}
}

// markStoreView is another process's handle of a store with a head file.
type markStoreView struct {
	*markStore
	asked chan struct{} // closed when it waits for the lock
	marks []func() ([]byte, error)
}

func (s *markStoreView) Mark(ctx context.Context) ([]byte, error) {
	if len(s.marks) > 0 {
		f := s.marks[0]
		s.marks = s.marks[1:]
		return f()
	}
	return s.markStore.Mark(ctx)
}

func (s *markStoreView) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	if s.asked != nil {
		close(s.asked)
		s.asked = nil
	}
	return s.markStore.Update(ctx, since, fn)
}

func (s *markStoreView) open(t testing.TB) (*vault.Vault, error) {
	v, err := vault.Open(context.Background(), vault.Config{Store: s, Root: seededRoot(t, 1)})
	if err == nil {
		t.Cleanup(func() { _ = v.Close() })
	}
	return v, err
}

// batchStore sees every batch.
type batchStore struct {
	vault.Store
	see func(vault.Batch)
}

func (s batchStore) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	return s.Store.Update(ctx, since, func(changed []vault.Row) (vault.Batch, error) {
		b, err := fn(changed)
		s.see(b)
		return b, err
	})
}

// TestMarkOnlyForHeadFile: a store without one is given no bytes for it.
func TestMarkOnlyForHeadFile(t *testing.T) {
	batches := 0
	v, err := vault.Open(t.Context(), vault.Config{Root: seededRoot(t, 1), Store: batchStore{memory.New(), func(b vault.Batch) {
		batches++
		if b.Mark != nil {
			t.Error("it was given a mark")
		}
	}}})
	must(t, err)
	mustPut(t, v.Operator("keeper"), bedPath, "value")
	must(t, v.Close())
	if batches < 2 {
		t.Errorf("%d batches", batches)
	}
}
