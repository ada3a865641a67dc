// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
)

// operation is one kind of call. The table below is all that differs between them: what the door does, it does for every one.
type operation struct {
	name       string
	action     scope.Action // what every link of a token must allow
	byToken    bool         // a token may ask; operators always may
	byAgentKey bool
	onePath    bool // the request names one path, and a freeze of it refuses a token
	toHost     bool // the value goes where the request says
	burns      bool // a grant counts as a use
	always     bool // neither freeze nor clock stands in the way

	check  func(*call) error                         // step 1
	decide func(view, *call) (plan, *refusal)        // step 3, and again in 5
	load   func(context.Context, *core, *call) error // step 4; nil: nothing to load
	apply  func(*batch, *call)                       // the change of step 5; nil: none
	answer func(view, *call) error                   // step 6 of what lists, on the state of the commit or later
}

var (
	opGet      = &operation{name: "get", action: scope.Read, byToken: true, onePath: true, burns: true, check: (*call).checkPath, decide: decideRead, load: loadValue}
	opUse      = &operation{name: "use", action: scope.Use, byToken: true, onePath: true, toHost: true, burns: true, check: (*call).checkUse, decide: decideRead, load: loadValue}
	opPut      = &operation{name: "put", action: scope.Write, byToken: true, onePath: true, burns: true, check: (*call).checkPut, decide: decidePut, load: loadPut, apply: applyPut}
	opDelete   = &operation{name: "delete", action: scope.Delete, byToken: true, onePath: true, burns: true, check: (*call).checkPath, decide: decideDelete, apply: applyDelete}
	opVersions = &operation{name: "versions", action: scope.List, byToken: true, onePath: true, check: (*call).checkPath, decide: decideVersions, answer: answerVersions}
	opList     = &operation{name: "list", action: scope.List, byToken: true, check: (*call).checkPattern, decide: decideList, answer: answerList}
	opIssue    = &operation{name: "issue", byToken: true, byAgentKey: true, check: (*call).checkIssue, decide: decideIssue, load: loadIssue}
	opRevoke   = &operation{name: "revoke", byToken: true, always: true, check: (*call).checkRevoke, decide: decideRevoke, apply: applyRevoke}
	opPolicy   = &operation{name: "policy", check: (*call).checkPolicy, decide: decidePolicy, apply: applyPolicy}
	opFreeze   = &operation{name: "freeze", always: true, check: (*call).checkFrozen, decide: decideAny, apply: applyFreeze}
	opThaw     = &operation{name: "thaw", check: (*call).checkFrozen, decide: decideThaw, apply: applyThaw}
	opFreezes  = &operation{name: "freezes", check: (*call).checkNothing, decide: decideAny, answer: answerFreezes}
	opWhose    = &operation{name: "whose", check: (*call).checkValue, decide: decideAny, load: loadFingerprint, answer: answerWhose}
	opTokens   = &operation{name: "tokens", check: (*call).checkNothing, decide: decideAny, load: loadTokens}
	opKey      = &operation{name: "key", check: (*call).checkKey, decide: decideKey, load: loadKey, apply: applyKey}
	opLog      = &operation{name: "log", check: (*call).checkNothing, decide: decideAny}
	opKeys     = &operation{name: "keys", check: (*call).checkNothing, decide: decideAny, answer: answerKeys}
	opArchive  = &operation{name: "archive", check: (*call).checkArchive, decide: decideArchive, load: loadArchive, apply: applyArchive}
	opBackup   = &operation{name: "backup", check: (*call).checkNothing, decide: decideAny}
	opCreate   = &operation{name: "create"}
	opRestore  = &operation{name: "restore"}
	opDestroy  = &operation{name: "destroy", onePath: true, check: (*call).checkDestroy, decide: decideDestroy, apply: applyDestroy}
	opRotate   = &operation{name: "rotate", check: (*call).checkNothing, decide: decideRotate, load: loadRotate, apply: applyKeyring}
	opRewrap   = &operation{name: "rotate", check: (*call).checkNothing, decide: decideAny, load: loadRewrap, apply: applyRewrap}
	opRotated  = &operation{name: "rotate", check: (*call).checkNothing, decide: decideAny, load: loadRotated, apply: applyKeyring}
	opRoot     = &operation{name: "root", check: (*call).checkRoot, decide: decideAny, load: loadRoot, apply: applyKeyring}
	opClock    = &operation{name: "clock", always: true, check: (*call).checkNothing, decide: decideClock, load: loadClock, apply: applyClock}
	opDenials  = &operation{name: "denials"}
	opPurge    = &operation{name: "purge"}
)

func (c *call) checkValue() error {
	if len(c.value) > maxValue {
		return fmt.Errorf("value: at most %d bytes", maxValue)
	}
	return nil
}

func (*call) checkNothing() error { return nil }

func decideAny(view, *call) (plan, *refusal) { return plan{}, nil }

// call is one pass through the door: what is asked, and what the steps find out.
type call struct {
	op  *operation
	by  *Session
	req Request

	value  []byte  // of Put and Whose
	policy *Policy // of Put and SetPolicy
	frozen Frozen  // of Freeze and Thaw
	grant  *Grant  // of Issue
	key    *Key    // of NewKey
	target string  // of Revoke; what the record says was acted on

	rotation *rotation // of RotateKeys, SetRoot and ResetClock
	archive  *archive  // of Archive

	malformed *refusal    // step 1
	dest      destination // step 1
	who       *identity   // step 2
	plan      plan        // step 3
	refused   *refusal    // step 3
	failed    error       // step 4
	opened    []byte      // step 4 of Get and Use: the value
	row       *versionRow // step 4 of Put
	sealed    []byte      // step 4 of Put
	claims    Claims      // step 4 of Issue
	token     Token       // step 4 of Issue and NewKey
	keyRow    *keyRow     // step 4 of NewKey
	print     [16]byte    // step 4 of Whose: the fingerprint of the value
	answer    any         // step 6 of what lists; step 4 of Tokens
	detail    string      // for the record

	try        uint32
	born       uint32       // generation of the keyring when it came in
	generation uint32       // and when this try began
	spawn      bool         // the token of Issue is for Spawn
	verbatim   bool         // the record stands as it is: nothing is decided
	unsure     bool         // the call failed and its record may stand all the same
	stands     bool         // the call failed and its record stands: an auditor refused it
	record     audit.Record // the committer fills in its first fields
	tail       []byte       // the rest of the record's line
	done       chan error
	dooms      rowKey // of Revoke and Freeze: what this process refuses should the record not become durable
}

// tries is how often a call is decided again because the rows it was decided on changed before the commit.
const tries = 10

var errAgain = errors.New("decided on rows that have changed")

// do is the one door. Every operation of every surface is one call of it, and nothing else reaches a value, a count or a
// change. A nil error means granted, recorded and durable.
func (v *core) do(ctx context.Context, c *call) error {
	if err := v.enter(); err != nil {
		return err
	}
	defer v.leave()
	if err := ctx.Err(); err != nil {
		return c.wrap(err)
	}
	c.born = v.keys().generation
	for c.try = 1; ; c.try++ {
		c.generation = v.keys().generation
		c.refuseMalformed()                              // 1  request.go
		c.who = c.by.authenticate(ctx)                   // 2  identity.go, token.go
		now := v.early(c)                                // 3  below, decide.go
		if c.refused != nil && v.refusals.over(c, now) { // counted, and recorded with others: refusals.go
			return c.wrap(c.refused.error())
		}
		c.dooms = v.dooms(c)
		c.load(ctx, v)  // 4  load.go, seal.go
		c.writeRecord() // 5  record.go, then at the head: commit.go, batch.go, apply.go
		err := v.commit(ctx, c)
		if err == nil {
			return v.answer(c) // 6  list.go; the caller releases the value: session.go, secret.go
		}
		clear(c.opened)
		if err != errAgain {
			return c.wrap(err)
		}
	}
}

// answer is step 6 of what lists. The state is at least as new as the record.
func (v *core) answer(c *call) (err error) {
	if c.op.answer != nil {
		v.look(func(w view) { err = c.op.answer(w, c) })
	}
	if err != nil {
		return c.wrap(err)
	}
	return nil
}

// load is step 4. Denials skip it.
func (c *call) load(ctx context.Context, v *core) {
	c.failed = nil
	if c.refused == nil && c.op.load != nil {
		c.failed = contain(func() error { return c.op.load(ctx, v, c) })
	}
}

// refuseMalformed is step 1.
func (c *call) refuseMalformed() {
	c.malformed = nil
	err := c.op.check(c)
	if err == nil {
		err = c.req.check()
	}
	if err != nil {
		c.malformed = invalid(err)
	} else if c.try == 1 {
		c.req.Metadata = maps.Clone(c.req.Metadata) // the record keeps it
	}
}

// early decides on the state as this process knows it.
func (v *core) early(c *call) (now readTime) {
	now = v.clock.read()
	v.mu.RLock()
	defer v.mu.RUnlock()
	w := v.view(now, nil)
	c.who.lookUp(w)
	c.plan, c.refused = decide(w, c)
	return now
}

// wrap says what was asked. It names a path only if it is one.
func (c *call) wrap(err error) error {
	if c.req.Path != "" && (scope.CheckPath(c.req.Path) == nil || scope.CheckPattern(c.req.Path) == nil) {
		return fmt.Errorf("vault: %s %s: %w", c.op.name, c.req.Path, err)
	}
	return fmt.Errorf("vault: %s: %w", c.op.name, err)
}

// contain turns a panic of user code into an error, which does not show what it said.
func contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic of type %T in user code", p)
		}
	}()
	return f()
}
