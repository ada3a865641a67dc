// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ParseRecord reads one line of the log, without its newline. It accepts exactly what MarshalJSON writes: the line
// that comes from encoding the answer again is the line that was given, byte for byte. So each record has one
// spelling, and no unknown field, second field of a name, invalid UTF-8 or unescaped control character passes. An
// error tells the place and quotes nothing of the line.
func ParseRecord(line []byte) (Record, error) {
	if len(line) > maxLine {
		return Record{}, errTooLong
	}
	p := parser{rest: string(line)}
	var r Record
	p.need(`{"seq":`)
	r.Seq = p.number()
	p.need(`,"time":"`)
	r.Time = p.time()
	p.need(`,"outcome":"`)
	r.Outcome = Outcome(p.text())
	r.Cause = p.field(`,"cause":"`)
	r.Uses = p.uses()
	p.need(`,"op":"`)
	r.Op = p.text()
	r.Operator = p.field(`,"operator":"`)
	r.Agent = p.field(`,"agent":"`)
	r.Run = p.field(`,"run":"`)
	r.User = p.field(`,"user":"`)
	r.Tenant = p.field(`,"tenant":"`)
	r.Token = p.field(`,"token":"`)
	r.Target = p.field(`,"target":"`)
	r.Path = p.field(`,"path":"`)
	r.Version = p.count(`,"version":`)
	r.Source = p.field(`,"source":"`)
	r.Method = p.field(`,"method":"`)
	r.Host = p.field(`,"host":"`)
	r.Addr = p.field(`,"addr":"`)
	r.Reason = p.field(`,"reason":"`)
	r.Call = p.field(`,"call":"`)
	r.Trace = p.field(`,"trace":"`)
	r.Count = p.count(`,"count":`)
	r.Detail = p.field(`,"detail":"`)
	r.Metadata = p.metadata()
	p.need(`}`)
	if p.bad || p.rest != "" {
		return Record{}, fmt.Errorf("record line is malformed at byte %d", len(line)-len(p.rest))
	}
	if err := r.check(); err != nil {
		return Record{}, err
	}
	// The parser looks for structure only. Here everything else is decided.
	var buf [1024]byte
	if again := r.AppendRest(r.AppendOpening(buf[:0])); string(again) != string(line) {
		return Record{}, fmt.Errorf("record line is not canonical at byte %d", firstDifference(again, line))
	}
	return r, nil
}

func firstDifference(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// parser walks along a line. Once bad, it stays where it is and answers zero values.
type parser struct {
	rest string
	bad  bool
}

// take steps over s if it comes next.
func (p *parser) take(s string) bool {
	if p.bad || !strings.HasPrefix(p.rest, s) {
		return false
	}
	p.rest = p.rest[len(s):]
	return true
}

func (p *parser) need(s string) { p.bad = !p.take(s) }

// text reads to the closing quote, which is the next one: a quote inside text is written \u0022.
func (p *parser) text() string {
	end := strings.IndexByte(p.rest, '"')
	if p.bad || end < 0 {
		p.bad = true
		return ""
	}
	s := p.rest[:end]
	if strings.IndexByte(s, '\\') >= 0 {
		var ok bool
		if s, ok = unescape(s); !ok {
			p.bad = true
			return ""
		}
	}
	p.rest = p.rest[end+1:]
	return s
}

func (p *parser) field(key string) string {
	if !p.take(key) {
		return ""
	}
	return p.text()
}

func unescape(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return string(append(b, s...)), true
		}
		b = append(b, s[:i]...)
		if len(s) < i+6 || s[i+1] != 'u' {
			return "", false
		}
		r, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
		if err != nil {
			return "", false
		}
		b = utf8.AppendRune(b, rune(r))
		s = s[i+6:]
	}
}

// number reads decimal digits.
func (p *parser) number() int64 {
	end := 0
	for end < len(p.rest) && p.rest[end] >= '0' && p.rest[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(p.rest[:end], 10, 64)
	if p.bad || err != nil {
		p.bad = true
		return 0
	}
	p.rest = p.rest[end:]
	return n
}

func (p *parser) count(key string) int {
	if !p.take(key) {
		return 0
	}
	return int(p.number()) // too large for int is not canonical
}

func (p *parser) uses() (uses []int) {
	if !p.take(`,"uses":[`) {
		return nil
	}
	for more := true; more; more = p.take(`,`) {
		uses = append(uses, int(p.number()))
	}
	p.need(`]`)
	return uses
}

func (p *parser) metadata() map[string]string {
	if !p.take(`,"metadata":{`) {
		return nil
	}
	m := map[string]string{}
	for more := true; more; more = p.take(`,`) {
		p.need(`"`)
		k := p.text()
		p.need(`:"`)
		m[k] = p.text()
	}
	p.need(`}`)
	return m
}

// time reads 2006-01-02T15:04:05.000000000Z and the closing quote. It takes bytes at their places for digits; any
// that is none, and any date that does not exist, gives a time that is written differently.
func (p *parser) time() time.Time {
	const length = len(`2006-01-02T15:04:05.000000000Z"`)
	if p.bad || len(p.rest) < length {
		p.bad = true
		return time.Time{}
	}
	s := p.rest
	digits := func(from, to int) (n int) {
		for _, c := range []byte(s[from:to]) {
			n = n*10 + int(c) - '0'
		}
		return n
	}
	t := time.Date(digits(0, 4), time.Month(digits(5, 7)), digits(8, 10),
		digits(11, 13), digits(14, 16), digits(17, 19), digits(20, 29), time.UTC)
	p.rest = s[length:]
	return t
}
