// SPDX-License-Identifier: Apache-2.0

package vault

import "errors"

// The facts that callers test with errors.Is. Every error of a Vault, Operator, Session or Log is, or wraps, one of them, a
// context's error, or what a store, issuer, auditor or the function given to Use or Spawn has answered. None quotes a value, a token or a key. What a holder of a token may not learn (why a token is
// dead, why a path is refused) stands in the audit record only.
var (
	// ErrInvalid: the request itself is malformed: a path, a name, a limit. Nothing was looked up.
	ErrInvalid = errors.New("invalid request")
	// ErrDenied: the session may not do this. Outside its scope that is decided before any lookup, so it says nothing about
	// what exists; inside, the policy of the path may say so too.
	ErrDenied = errors.New("denied")
	// ErrDeadToken is an ErrDenied: the token is unknown, malformed, forged, expired, revoked, used up, or
	// presented from a wrong network.
	ErrDeadToken error = family{"token is not valid", ErrDenied}
	// ErrNotFound: there is no such secret or version. Only callers whose scope covers the path see it.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the state is not what the caller expected: another version number is next, or the path kept
	// changing while the call was decided. Read again, then retry.
	ErrConflict = errors.New("conflict")
	// ErrNotRecorded: the audit record could not be made durable, so nothing was released. A change may have
	// been made if the outcome of the commit is unknown.
	ErrNotRecorded = errors.New("not recorded")
	// ErrBusy: too many operations wait, or the store's lock was not free for 10 s. Nothing changed; retry later.
	ErrBusy = errors.New("busy")
	// ErrClock: the wall clock is more than 2 minutes behind the last record. Set the clock; if it is right and the record
	// is wrong, ResetClock.
	ErrClock = errors.New("clock is behind the log")
	// ErrWrongKey: the root key is not the one that sealed this vault. No byte was changed. Of a vault that is open it means
	// that another process has given it another root: open it again with that one.
	ErrWrongKey = errors.New("wrong root key")
	// ErrNoKey: there is no root key where it is looked for.
	ErrNoKey = errors.New("no root key")
	// ErrKMSUnavailable: the holder of the root key gave no answer. Of a vault that is open, with ErrNotRecorded, it means that
	// the keys were rotated elsewhere and could not be unwrapped here: it is tried again a second later.
	ErrKMSUnavailable = errors.New("key service unavailable")
	// ErrTampered: stored bytes are not those that keyward wrote. No further access is granted.
	ErrTampered = errors.New("stored data was changed")
	// ErrRollback: the store is older than its head file or its anchor, or has another history: acknowledged records are
	// missing. Put back what was there; or accept what there is with Restore, which ends every token.
	ErrRollback = errors.New("store was rolled back")
	// ErrClosed: the vault is closed.
	ErrClosed = errors.New("vault is closed")
)

// family is an error that is also its parent.
type family struct {
	text   string
	parent error
}

func (f family) Error() string { return f.text }
func (f family) Unwrap() error { return f.parent }
