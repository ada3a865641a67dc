// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// Config says what a vault is made of.
type Config struct {
	// Store holds the vault. Required. Open takes it over, also when Open fails: Close closes it.
	Store Store
	// Root seals the keyring. Required. When it is asked, see RootKey.
	Root RootKey
	// Auditors must accept each batch of records before anything of it is released: an error, a panic or a missed
	// deadline of one is ErrNotRecorded for every caller of the batch.
	Auditors []Auditor
	// Observers are told after the release, each at its own pace. What they answer changes nothing, and one that is 1,024
	// batches behind misses some.
	Observers []Auditor
	// AuditTimeout is how long one batch may take an Auditor. If zero, 5 s.
	AuditTimeout time.Duration
	// Anchor, if there is one, is moved to the head of each batch before anything of it is released, like an Auditor that
	// comes last, with a time of AuditTimeout of its own. Open requires that the log contains the head that it holds.
	Anchor Anchor
	// Issuer wraps the built-in TokenIssuer. If nil, the built-in one is used as it is.
	Issuer func(builtin TokenIssuer) TokenIssuer
	// MaxTTL is the longest life of a token, at issue and at use. If zero, 24 h; at most 30 days.
	MaxTTL time.Duration
	// Now is the wall clock. If nil, time.Now. It is called from several goroutines, also while the store is locked:
	// it must be quick and must not call the vault.
	Now func() time.Time
}

// Vault composes a Store, a root key, a TokenIssuer and Auditors. It opens, closes and hands out authority; never hand it
// to an agent. It is safe for concurrent use.
type Vault struct {
	core func() *core // behind a closure, so that no way to print it reaches a key or walks what is in use
}

// Operator returns full authority under a name, which is recorded: for the code that opened the vault. A name that is not
// one is refused at first use.
func (v *Vault) Operator(name string) *Operator {
	return &Operator{&Session{core: v.core, operator: &name}}
}

// Remote returns the operator who holds a kw_op_… credential and calls from an address. Each call checks the credential;
// a bad one is refused, and recorded, at its first use.
func (v *Vault) Remote(cred Token, from netip.Addr) *Operator {
	return &Operator{&Session{core: v.core, token: cred, remote: true, from: from}}
}

// Session returns the vault as the holder of a token (kw_tok_…) or agent key (kw_agent_…) sees it who calls from an address;
// the zero Addr is this process. A bad token is refused, and recorded, at its first use.
func (v *Vault) Session(tok Token, from netip.Addr) *Session {
	return &Session{core: v.core, token: tok, from: from}
}

// Log returns the audit log, to be given to whoever watches.
func (v *Vault) Log() *Log { return &Log{v.core} }

// Close waits for the calls that are under way, writes what is still to be recorded, and closes the store. Later calls
// answer ErrClosed. A second Close returns what the first did. It does not wait for functions given to Use and Spawn.
func (v *Vault) Close() error { return v.core().close() }

func (c Config) check() error {
	switch {
	case c.Store == nil:
		return fmt.Errorf("%w: Config.Store is required: sqlite.Open or memory.New", ErrInvalid)
	case c.Root == nil:
		return fmt.Errorf("%w: Config.Root is required: kms.KeyFile, kms.Passphrase or kms.Wrapper", ErrInvalid)
	case c.MaxTTL < 0 || c.MaxTTL > 0 && c.MaxTTL < time.Second || c.MaxTTL > longestTTL:
		return fmt.Errorf("%w: Config.MaxTTL: a second to %s, or zero for 24 h", ErrInvalid, longestTTL)
	case c.AuditTimeout < 0:
		return fmt.Errorf("%w: Config.AuditTimeout: zero for 5 s, or more", ErrInvalid)
	}
	for _, a := range append(append([]Auditor(nil), c.Auditors...), c.Observers...) {
		if a == nil {
			return fmt.Errorf("%w: a nil Auditor", ErrInvalid)
		}
	}
	return nil
}

// Open opens the vault that lives in cfg.Store; an empty store becomes a new vault. It reads every deciding row and checks
// them against the head of the log. ctx bounds Open only.
//
// Errors: ErrInvalid (configuration, or a newer format), ErrWrongKey, ErrNoKey, ErrKMSUnavailable (the root), ErrTampered
// (the store holds something else than what keyward wrote, or is not a vault), ErrRollback (it is older than its head file
// or cfg.Anchor, or has another history), and those of the store and the anchor.
func Open(ctx context.Context, cfg Config) (*Vault, error) {
	return openBy(ctx, cfg, "open", func(v *core) error { return v.open(ctx, ask(cfg.Root)) })
}
