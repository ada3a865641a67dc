// SPDX-License-Identifier: Apache-2.0

package front

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// IDHeader is the header of an answer with the id of its request.
const IDHeader = "Keyward-Request-Id"

// Caller is who sends a request: the vault as its bearer sees it.
type Caller struct {
	Session  *vault.Session  // of a token or an agent key; what bears neither is refused at its first use
	Operator *vault.Operator // of a remote operator; what is none is refused at its first use
	IsOp     bool            // the bearer is to be an operator's
	ID       string          // of the request: in its answer, and in its records as the call unless the caller names one
	// Proven: the bearer is of this vault, alive or not. Admit finds out, without the store: what another process has made since is
	// not known here before the vault is asked for something, as Stranger does.
	Proven bool
	Holder Holder
}

// Holder is a bearer at an address, since a token may be bound to networks. It can be compared, and does not show the bearer.
type Holder struct {
	Bearer [sha256.Size]byte // its hash
	From   netip.Addr
}

// Door is what a *vault.Session and a *vault.Operator have in common.
type Door interface {
	Get(context.Context, vault.Request) (vault.Item, error)
	Put(context.Context, vault.Item) (int, error)
	Delete(context.Context, vault.Request) error
	List(context.Context, vault.Request) ([]vault.Item, error)
	Versions(context.Context, vault.Request) ([]vault.Item, error)
	Issue(context.Context, vault.Grant) (*vault.Session, error)
	Revoke(ctx context.Context, id, reason string) error
	Claims(context.Context) (vault.Claims, error)
}

// Door returns the session or the operator, whichever the bearer is to be of.
func (c Caller) Door() Door {
	if c.IsOp {
		return c.Operator
	}
	return c.Session
}

// Caller returns who sends r with this bearer. Nothing is looked up.
func (f *Front) Caller(r *http.Request, bearer string) Caller {
	tok, from := vault.NewToken(bearer), f.From(r)
	c := Caller{Operator: f.vault.Remote(tok, from), Holder: Holder{sha256.Sum256([]byte(bearer)), from}}
	c.IsOp = strings.HasPrefix(bearer, "kw_op_")
	var kept bool
	if c.Session, kept = f.sessions.Get(c.Holder); !kept {
		c.Session = f.vault.Session(tok, from)
	}
	return c
}

// Admit returns who sends r, or why it is not looked at: it is for another host, bears nothing, or is one too many. The first two
// are recorded.
func (f *Front) Admit(w http.ResponseWriter, r *http.Request, bearer string) (Caller, *Refusal) {
	c := f.Caller(r, bearer)
	c.ID = rand.Text()
	w.Header().Set(IDHeader, c.ID)
	switch {
	case !f.Serves(r):
		return c, f.TurnAway(r, c, notServed)
	case bearer == "":
		return c, f.TurnAway(r, c, RefusalOf(vault.ErrDeadToken))
	}
	var who string
	who, c.Proven = principal(r.Context(), c)
	if c.Proven && !c.IsOp {
		f.sessions.Add(c.Holder, c.Session)
	}
	return c, f.limits.take(who)
}

// Stranger has the vault look at a bearer that is not proven, and write down that it is refused. It returns nil if the vault knows the
// bearer by now: another process may have made the key, or rotated those of tokens.
func (f *Front) Stranger(r *http.Request, c Caller) *Refusal {
	err := f.ask(r, c)
	no := RefusalOf(err)
	if errors.Is(err, vault.ErrDeadToken) || no.Status >= http.StatusInternalServerError {
		return no
	}
	return nil
}

// TurnAway has the vault write down that c was turned away with a request that asks for nothing, which the door refuses.
func (f *Front) TurnAway(r *http.Request, c Caller, why *Refusal) *Refusal {
	_ = f.ask(r, c) // it is in the log of faults
	return why
}

// Refused returns how err is answered. A *Refusal in it is of the front itself, where the vault was not asked: it writes that down now.
func (f *Front) Refused(r *http.Request, c Caller, err error) *Refusal {
	var own *Refusal
	if errors.As(err, &own) {
		return f.TurnAway(r, c, own)
	}
	no := RefusalOf(err)
	if no.Status >= http.StatusInternalServerError {
		f.Log.Error("a request failed", "request", c.ID, "cause", err)
	}
	return no
}

func (f *Front) ask(r *http.Request, c Caller) error {
	_, err := c.Door().Get(r.Context(), vault.Request{})
	if RefusalOf(err).Status >= http.StatusInternalServerError {
		f.Log.Error("a refusal could not be recorded", "request", c.ID, "cause", err)
	}
	return err
}
