// SPDX-License-Identifier: Apache-2.0

package vault

import "fmt"

// refusal is why a call was not granted: the cause that the record keeps, the error that the caller may see, and a hint
// where the caller may have one.
type refusal struct {
	cause string
	err   error
	hint  string
}

func (r *refusal) error() error {
	if r.hint == "" {
		return r.err
	}
	return fmt.Errorf("%w: %s", r.err, r.hint)
}

// Refusals decided before any lookup. Those of a dead token look alike to its holder, and so do those of a live one.
var (
	badToken   = &refusal{"bad_token", ErrDeadToken, ""} // malformed, forged, or of another vault
	badKey     = &refusal{"bad_key", ErrDeadToken, ""}   // no such agent key or operator
	badNetwork = &refusal{"network", ErrDeadToken, ""}
	expired    = &refusal{"expired", ErrDeadToken, ""}
	notYet     = &refusal{"not_yet_issued", ErrDeadToken, ""}
	revoked    = &refusal{"revoked", ErrDeadToken, ""}
	usedUp     = &refusal{"used_up", ErrDeadToken, ""}
	keyDead    = &refusal{"key_ended", ErrDeadToken, ""}
	ended      = &refusal{"spawn_ended", ErrDeadToken, ""}

	noRight    = &refusal{"not_for_this_credential", ErrDenied, ""}
	outOfScope = &refusal{"scope", ErrDenied, ""}
	isFrozen   = &refusal{"frozen", ErrDenied, ""}
)

// Refusals of what the caller's scope covers: these may help.
var (
	notFound      = &refusal{"not_found", ErrNotFound, ""}
	secretExpired = &refusal{"secret_expired", ErrDenied, "the path has expired; an operator puts a later expiry with SetPolicy"}
	needsApproval = &refusal{"tier", ErrDenied, "the tier of the path needs an approval"}
	noHosts       = &refusal{"no_hosts", ErrDenied, "the path has no hosts, so it is not for HTTP; an operator sets Policy.Hosts with SetPolicy"}
	wrongHost     = &refusal{"host", ErrDenied, "the policy of the path names no such method, host and path"}
	whichHost     = &refusal{"which_host", ErrDenied, "the path has several hosts; say to which: Request.URL with scheme and host"}
	needsURL      = &refusal{"needs_url", ErrDenied, "the path has hosts; set Request.URL to where the value goes"}
	noHeader      = &refusal{"placement", ErrDenied, "the policy places the value in a header that carries no credential; an operator uses SetPolicy"}
	conflict      = &refusal{"version", ErrConflict, takenHint}
	unsettled     = &refusal{"unsettled", ErrConflict, "the path or the keys kept changing while this was decided; retry"}
	caseTwin      = &refusal{"case", ErrConflict, takenHint}
	tokenHosts    = &refusal{"policy", ErrDenied, "only an operator gives a path its hosts"}
	thawed        = &refusal{"not_frozen", ErrNotFound, "nothing of that kind and value is frozen"}
	tooMany       = &refusal{"too_many", ErrDenied, "1,024 links of this grant are revoked already; its holder or an operator can revoke the grant itself"}
	noKey         = &refusal{"no_key", ErrNotFound, "no such key"}
	clockBehind   = &refusal{"clock", ErrClock, "the wall clock is over 2 minutes behind the last record: set it, or if the record is wrong undo it with ResetClock"}
	clockFine     = &refusal{"clock_fine", ErrConflict, "the wall clock is not over 2 minutes behind the last record: nothing is to be undone"}
)

// takenHint is one text, so that a put which would fail anyway does not tell whether a path outside the scope exists.
const takenHint = "another version is next, or another path differs by case alone; read again"

// loosens refuses a Put whose policy is not within that of the path.
func loosens(how error) *refusal {
	return &refusal{"policy", ErrDenied, "a put can only tighten the policy: " + how.Error() + "; an operator uses SetPolicy"}
}

// widens refuses a grant that the caller may not give.
func widens(how error) *refusal {
	return &refusal{"widens", ErrDenied, how.Error()}
}

func invalid(err error) *refusal {
	return &refusal{"invalid", fmt.Errorf("%w: %w", ErrInvalid, err), ""}
}
