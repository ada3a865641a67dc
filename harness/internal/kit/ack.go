// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"errors"

	"github.com/keyward-go/keyward/vault"
)

// Ack is what a child learned when one call returned.
type Ack struct {
	Op   string `json:"op"`           // as in the record; or one of those below
	ID   string `json:"id,omitempty"` // the record's call, reason or target: in the log exactly once
	Path string `json:"path,omitempty"`

	Version int    `json:"version,omitempty"` // of Put, Get and Use
	Value   string `json:"value,omitempty"`   // that was put, or seen; of OpCheckpoint the checkpoint
	Link    string `json:"link,omitempty"`    // of Issue and Revoke
	Bearer  string `json:"bearer,omitempty"`  // of Issue

	Outcome Outcome `json:"outcome,omitempty"` // empty: granted
	Text    string  `json:"text,omitempty"`    // of the error
}

// What is acknowledged without a record of its own.
const (
	OpOpen       = "open"  // the vault is open
	OpClose      = "close" // Close returned
	OpCheckpoint = "checkpoint"
)

// Outcome is how a call ended.
type Outcome string

// The outcomes of a call.
const (
	Granted     Outcome = ""
	Refused     Outcome = "refused"      // recorded as denied
	NotRecorded Outcome = "not recorded" // nothing was released; there may be a record all the same
	Failed      Outcome = "failed"       // any other error; recorded
)

// OutcomeOf sorts an error of a vault.
func OutcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return Granted
	case errors.Is(err, vault.ErrNotRecorded):
		return NotRecorded
	case errors.Is(err, vault.ErrDenied):
		return Refused
	}
	return Failed
}

// Ended is an acknowledgement with how the call ended.
func Ended(a Ack, err error) Ack {
	if a.Outcome = OutcomeOf(err); err != nil {
		a.Text = err.Error()
	}
	return a
}
