// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

const maxRecords = 1000

type filter struct {
	Agent   string `json:"agent,omitzero" about:"Of this agent, or one below it."`
	Run     string `json:"run,omitzero" about:"Of this run."`
	User    string `json:"user,omitzero" about:"For this user."`
	Tenant  string `json:"tenant,omitzero" about:"For this tenant."`
	Token   string `json:"token,omitzero" about:"With the token, or one narrowed from it, that has this id."`
	Op      string `json:"op,omitzero" about:"Of this operation, as in get or use."`
	Path    string `json:"path,omitzero" about:"Of this path, or of those that a pattern such as production/* covers."`
	Outcome string `json:"outcome,omitzero" enum:"granted,denied,failed" about:"With this outcome."`
	From    string `json:"from,omitzero" about:"From this time on: RFC 3339."`
	To      string `json:"to,omitzero" about:"Before this time: RFC 3339."`
	Since   int64  `json:"since,omitzero" about:"From this number on."`
	Limit   int    `json:"limit,omitzero" about:"So many at most. Zero: 1,000, which is the most."`
	Reason  string `json:"reason,omitzero" about:"Why the log is read, for the record: 1 KiB at most."`
}

type page struct {
	Records []jsontext.Value `json:"records" about:"The canonical lines of the log, in order."`
	Next    int64            `json:"next" about:"since, for the next page."`
	More    bool             `json:"more" about:"Whether there are more by now."`
}

func records(ctx context.Context, o *vault.Operator, in filter) (out page, err error) {
	f := audit.Filter{
		Agent: in.Agent, Run: in.Run, User: in.User, Tenant: in.Tenant, Token: in.Token, Op: in.Op, Path: in.Path,
		Outcome: audit.Outcome(in.Outcome), Since: in.Since,
	}
	for _, limit := range []struct {
		text string
		to   *time.Time
	}{{in.From, &f.From}, {in.To, &f.To}} {
		if limit.text == "" {
			continue
		}
		if *limit.to, err = time.Parse(time.RFC3339, limit.text); err != nil {
			return out, front.Malformed("from and to: times as RFC 3339 has them")
		}
	}
	if in.Limit == 0 {
		in.Limit = maxRecords
	}
	if in.Limit < 0 || in.Limit > maxRecords || in.Since < 0 {
		return out, front.Malformed("limit: 1 to %d; since: a number of a record", maxRecords)
	}
	log, err := o.Log(ctx, in.Reason)
	if err != nil {
		return out, err
	}
	out = page{Records: []jsontext.Value{}, Next: in.Since}
	for r, err := range log.Records(ctx, f) {
		switch {
		case err != nil:
			return page{}, err
		case len(out.Records) == in.Limit:
			out.More = true
			continue // all of it is read, since only then it is known to be the log's
		}
		line, err := r.MarshalJSON()
		if err != nil {
			return page{}, err
		}
		out.Records, out.Next = append(out.Records, line), r.Seq+1
	}
	return out, nil
}

type reason struct {
	Reason string `json:"reason,omitzero" about:"Why the log is read, for the record: 1 KiB at most."`
}

type signed struct {
	Checkpoint string `json:"checkpoint" about:"A signed note, as C2SP tlog-checkpoint has it."`
	Key        string `json:"key" about:"The public key of the log. Trust the one that you keep."`
}

func checkpoint(ctx context.Context, o *vault.Operator, in reason) (signed, error) {
	log, err := o.Log(ctx, in.Reason)
	if err != nil {
		return signed{}, err
	}
	text, err := log.Checkpoint(ctx)
	return signed{string(text), log.Key()}, err
}

type proofRequest struct {
	Seq        int64  `json:"seq" about:"The number of the record."`
	Checkpoint string `json:"checkpoint" about:"A checkpoint of a log that has it."`
	Reason     string `json:"reason,omitzero" about:"Why the log is read, for the record: 1 KiB at most."`
}

type proven struct {
	Line  string `json:"line" about:"The canonical line of the record."`
	Proof string `json:"proof" about:"As Go's audit.Proof reads it, for audit.CheckRecord with the line and the checkpoint."`
}

func proof(ctx context.Context, o *vault.Operator, in proofRequest) (proven, error) {
	log, err := o.Log(ctx, in.Reason)
	if err != nil {
		return proven{}, err
	}
	line, p, err := log.Prove(ctx, in.Seq, []byte(in.Checkpoint))
	if err != nil {
		return proven{}, err
	}
	text, err := p.MarshalText()
	return proven{string(line), string(text)}, err
}

// exporting answers with text, as it comes. An export that broke off has no last line, and does not verify.
var exporting = operation{
	name: "export", about: "The whole log as a text that verifies offline.", limit: maxSmall, by: "operator",
	in: reflect.TypeFor[reason](), out: reflect.TypeFor[string](),
	serve: func(a *api, w http.ResponseWriter, r *http.Request, c front.Caller) {
		var in reason
		if no := front.ReadJSON(w, r, maxSmall, &in); no != nil {
			a.TurnAway(r, c, no).Write(w, r)
			return
		}
		log, err := c.Operator.Log(r.Context(), in.Reason)
		if err != nil {
			a.Refused(r, c, err).Write(w, r)
			return
		}
		front.NoStore(w.Header())
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := log.Export(r.Context(), w); err != nil {
			a.Log.Error("an export broke off", "cause", err)
			panic(http.ErrAbortHandler) // so that the client sees that it did
		}
	},
}
