// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
)

// Bounds of what a caller may send. Text is counted as its record shows it, escaped.
const (
	maxValue    = 1 << 20
	maxReason   = 1 << 10
	maxCall     = 128
	maxMetadata = 4 << 10
	maxKeys     = 32
	maxURL      = 2 << 10
	maxList     = 10000
)

// Request is what is asked. It is what is decided and recorded.
type Request struct {
	Path     string            // for List a pattern
	Version  int               // zero: the newest; for Delete all
	Reason   string            // free text for the record, at most 1 KiB
	Call     string            // the tool call or request it belongs to, at most 128 bytes
	Method   string            // for Use with URL; GET if empty
	URL      string            // for Use: where the value goes. No query, no userinfo, no fragment. A path alone: at Policy.Origin
	Metadata map[string]string // at most 32 keys and 4 KiB, in the clear
}

// Item is a version of a secret with its attributes: what Put takes and Get, List and Versions answer, the last two
// without the value.
type Item struct {
	Path     string
	Value    Secret // at most 1 MiB
	Version  int    // in Put: zero, or the number that must be next
	Policy   Policy // of the path. In Put, zero fields change nothing
	Metadata map[string]string
	Created  time.Time // set by the vault
	Reason   string    // of the Put that made it
}

func (r Request) check() error {
	if err := checkText(r.Reason, r.Call, r.Metadata); err != nil {
		return err
	}
	if r.Version < 0 {
		return fmt.Errorf("version: zero (the newest) or a number")
	}
	return nil
}

func checkText(reason, call string, metadata map[string]string) error {
	switch {
	case len(reason) > maxReason || audit.EscapedLen(reason) > maxReason:
		return fmt.Errorf("reason: at most %d bytes, escaped", maxReason)
	case len(call) > maxCall || audit.EscapedLen(call) > maxCall:
		return fmt.Errorf("call: at most %d bytes, escaped", maxCall)
	case len(metadata) > maxKeys:
		return fmt.Errorf("metadata: at most %d keys", maxKeys)
	}
	n, valid := 0, utf8.ValidString(reason) && utf8.ValidString(call)
	for k, v := range metadata {
		valid = valid && utf8.ValidString(k) && utf8.ValidString(v)
		if n += len(k) + len(v); n > maxMetadata {
			break
		}
		n += audit.EscapedLen(k) - len(k) + audit.EscapedLen(v) - len(v) + len(`"":"",`)
	}
	switch {
	case n > maxMetadata:
		return fmt.Errorf("metadata: at most %d bytes, escaped", maxMetadata)
	case !valid:
		return fmt.Errorf("reason, call and metadata are UTF-8")
	}
	return nil
}

// checkPath is for requests that name one path and no destination.
func (c *call) checkPath() error {
	if c.req.URL != "" || c.req.Method != "" {
		return fmt.Errorf("URL and method are for Use")
	}
	return scope.CheckPath(c.req.Path)
}

func (c *call) checkPattern() error {
	if c.req.URL != "" || c.req.Method != "" || c.req.Version != 0 {
		return fmt.Errorf("URL, method and version are not for List")
	}
	return scope.CheckPattern(c.req.Path)
}

func (c *call) checkUse() (err error) {
	if err := scope.CheckPath(c.req.Path); err != nil {
		return err
	}
	if c.req.URL == "" && c.req.Method == "" {
		return nil
	}
	c.dest, err = parseDestination(c.req.Method, c.req.URL)
	return err
}

func (c *call) checkPut() error {
	if err := c.checkValue(); err != nil {
		return err
	}
	if err := c.policy.check(); err != nil {
		return err
	}
	return c.checkPath()
}
