// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"time"
)

// maxLine bounds a record line, without its newline.
const maxLine = 16 << 10

// Outcome is how an operation ended.
type Outcome string

// The three outcomes. Granted means "may have been released": the log may show a grant that was not delivered,
// never the reverse.
const (
	Granted Outcome = "granted"
	Denied  Outcome = "denied"
	Failed  Outcome = "failed"
)

// Record is one entry of the log: who asked for what, how it ended, and why. Its text is kept as it was given; the
// line that it is written as holds no control character, so print that (String), not the fields.
type Record struct {
	Seq     int64     // place in the log, from 0
	Time    time.Time // effective time; never goes back within a log
	Outcome Outcome
	Cause   string // true reason code of a refusal or failure, which the caller is not told; of a grant what it overrode
	Uses    []int  // count after this use, one number a link of the token, 0 if the link is unlimited

	Op       string // what was asked; the package comment lists them
	Operator string
	Agent    string // full name: names joined by "/"
	Run      string
	User     string
	Tenant   string
	Token    string // id of the token's last link; an id begins with the ids of the links above it, joined by "."
	Target   string // what was acted on: a link id, "key:<id>", or a freeze as "<kind>:<value>"
	Path     string
	Version  int
	Source   string // not set in version 1
	Method   string // of an upstream request
	Host     string // of an upstream request
	Addr     string // network address of the caller
	Reason   string // free text of the caller
	Call     string // request id
	Trace    string // trace id; not set in version 1
	Count    int    // of a record that stands for several refusals
	Detail   string // what a change set, as JSON: the grant, policy or key; of "create" the log's key, of "denials" the counts
	Metadata map[string]string
}

// MarshalJSON returns the canonical line of r, without a newline. It refuses what ParseRecord would not read: an
// unknown outcome, a negative number, a year outside 0 to 9999, a line over 16 KiB. Note that json.Marshal escapes
// "<", ">" and "&" in what MarshalJSON returns; for the canonical bytes call MarshalJSON itself, or an encoder with
// SetEscapeHTML(false).
func (r Record) MarshalJSON() ([]byte, error) { return r.appendLine(make([]byte, 0, 512)) }

// String returns the canonical line, so that a record can be printed to a terminal; unlike MarshalJSON it refuses
// nothing.
func (r Record) String() string { return string(r.AppendRest(r.AppendOpening(nil))) }

// appendLine appends the canonical line, or returns dst as it was and an error.
func (r Record) appendLine(dst []byte) ([]byte, error) {
	if err := r.check(); err != nil {
		return dst, err
	}
	n := len(dst)
	dst = r.AppendRest(r.AppendOpening(dst))
	if len(dst)-n > maxLine {
		return dst[:n], errTooLong
	}
	return dst, nil
}

var errTooLong = errors.New("record line is longer than 16 KiB")

func (r *Record) check() error {
	switch r.Outcome {
	case Granted, Denied, Failed:
	default:
		return errors.New("record has no known outcome")
	}
	if y := r.Time.UTC().Year(); y < 0 || y > 9999 {
		return errors.New("record time is outside the years 0 to 9999")
	}
	negative := r.Seq < 0 || r.Version < 0 || r.Count < 0
	for _, n := range r.Uses {
		negative = negative || n < 0
	}
	if negative {
		return errors.New("record has a negative number")
	}
	return nil
}
