// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// reenter is an auditor that calls the vault when it is told of a Get by the agent.
type reenter struct {
	t    *testing.T
	call func(ctx context.Context) error
	took time.Duration
	err  error
	done bool
}

func (r *reenter) Audit(ctx context.Context, records []audit.Record) error {
	for _, rec := range records {
		if rec.Op == "get" && rec.Agent != "" && !r.done && r.call != nil {
			r.done = true
			start := time.Now()
			r.err = r.call(ctx)
			r.took = time.Since(start)
		}
	}
	return nil
}

// TestAuditorReadsLog: "an Auditor that needs the rest, or other processes' records, reads Log().Records" (DESIGN, section 2).
func TestAuditorReadsLog(t *testing.T) {
	for _, load := range []string{"alone", "with a batch behind it"} {
		for name, read := range map[string]func(context.Context, *vault.Vault) error{
			"Records": func(ctx context.Context, v *vault.Vault) (err error) {
				for _, e := range v.Log().Records(ctx, audit.Filter{}) {
					err = errors.Join(err, e)
				}
				return err
			},
			"Checkpoint": func(ctx context.Context, v *vault.Vault) error { _, err := v.Log().Checkpoint(ctx); return err },
			"Export": func(ctx context.Context, v *vault.Vault) error {
				return v.Log().Export(ctx, &strings.Builder{})
			},
		} {
			t.Run(name+", "+load, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := &reenter{t: t}
					v, op := audited(t, []vault.Auditor{r}, nil)
					mustPut(t, op, bedPath, "value")
					s := mustIssue(t, op, reader(0))
					gate := make(chan struct{})
					r.call = func(ctx context.Context) error {
						if load != "alone" {
							<-gate
						}
						return read(ctx, v)
					}
					result := make(chan error, 2)
					get := func() {
						_, _, err := getPath(s, bedPath)
						result <- err
					}
					go get()
					synctest.Wait()
					if load != "alone" {
						go get() // committed, and waits for the releaser
						synctest.Wait()
						close(gate)
					} else {
						result <- nil
					}
					for range 2 {
						if err := <-result; err != nil {
							t.Errorf("Get: %v", err)
						}
					}
					if r.err != nil || r.took > time.Second {
						t.Errorf("inside Audit it answered %v after %s", r.err, r.took)
					}
					must(t, v.Close())
				})
			})
		}
	}
}

// TestAuditorCallsBack: an auditor that goes through the door waits for itself. That ends with its time, in order, and the
// vault goes on.
func TestAuditorCallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reenter{t: t}
		v, op := audited(t, []vault.Auditor{r}, nil)
		mustPut(t, op, bedPath, "value")
		s := mustIssue(t, op, reader(0))
		r.call = func(ctx context.Context) error { _, err := op.Get(ctx, vault.Request{Path: bedPath}); return err }
		start := time.Now()
		_, _, err := getPath(s, bedPath)
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("the outer Get took %s", took)
		}
		if err != nil && !errors.Is(err, vault.ErrNotRecorded) {
			t.Errorf("the outer Get: %v", err)
		}
		time.Sleep(30 * time.Second)
		wantValue(t, s, bedPath, "value", 1)
		must(t, v.Close())
	})
}

// TestAuditorHearsAll: that one auditor refuses a batch does not keep it from another one, whose copy of the log is whole.
func TestAuditorHearsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file strings.Builder
		refuse := auditorFunc(func(_ context.Context, r []audit.Record) error {
			if r[0].Op == "get" {
				return errors.New("no")
			}
			return nil
		})
		first, last := &sink{}, &audit.Writer{W: &file}
		v, op := audited(t, []vault.Auditor{first, refuse, last}, nil)
		mustPut(t, op, bedPath, "value")
		for range 100 {
			wantRefused(t, op, bedPath, vault.ErrNotRecorded)
		}
		want := len(logOf(t, v, audit.Filter{Since: 1}))
		must(t, v.Close())
		if n := len(first.seen()); n != want {
			t.Errorf("an auditor that accepts heard %d of %d records", n, want)
		}
		if n := strings.Count(file.String(), "\n"); n != want {
			t.Errorf("an audit.Writer wrote %d of %d records", n, want)
		}
		once(t, first.seen())
	})
}
