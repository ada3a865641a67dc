// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendOpening appends the first part of the canonical line to dst: `{"seq":…` through `uses`, without a trailing
// comma. It is what is known only at commit. A time outside the years 0 to 9999 is written as the nearest one inside.
func (r Record) AppendOpening(dst []byte) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendInt(dst, r.Seq, 10)
	dst = append(dst, `,"time":"`...)
	dst = appendTime(dst, r.Time)
	dst = append(dst, `","outcome":"`...)
	dst = appendText(dst, string(r.Outcome))
	dst = append(dst, '"')
	dst = appendField(dst, `,"cause":"`, r.Cause)
	if len(r.Uses) > 0 {
		dst = append(dst, `,"uses":[`...)
		for i, n := range r.Uses {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendInt(dst, int64(n), 10)
		}
		dst = append(dst, ']')
	}
	return dst
}

// AppendRest appends the second part of the canonical line to dst: `,"op":…` through the closing brace. It can be
// made before the record has a place in the log. Bytes that are not UTF-8 are each written as U+FFFD. It allocates
// nothing beyond the growth of dst, unless there are more than 32 metadata keys or one is not valid UTF-8; of keys
// that are then spelled alike, the bytewise first is written.
func (r Record) AppendRest(dst []byte) []byte {
	dst = append(dst, `,"op":"`...)
	dst = appendText(dst, r.Op)
	dst = append(dst, '"')
	dst = appendField(dst, `,"operator":"`, r.Operator)
	dst = appendField(dst, `,"agent":"`, r.Agent)
	dst = appendField(dst, `,"run":"`, r.Run)
	dst = appendField(dst, `,"user":"`, r.User)
	dst = appendField(dst, `,"tenant":"`, r.Tenant)
	dst = appendField(dst, `,"token":"`, r.Token)
	dst = appendField(dst, `,"target":"`, r.Target)
	dst = appendField(dst, `,"path":"`, r.Path)
	dst = appendNumber(dst, `,"version":`, r.Version)
	dst = appendField(dst, `,"source":"`, r.Source)
	dst = appendField(dst, `,"method":"`, r.Method)
	dst = appendField(dst, `,"host":"`, r.Host)
	dst = appendField(dst, `,"addr":"`, r.Addr)
	dst = appendField(dst, `,"reason":"`, r.Reason)
	dst = appendField(dst, `,"call":"`, r.Call)
	dst = appendField(dst, `,"trace":"`, r.Trace)
	dst = appendNumber(dst, `,"count":`, r.Count)
	dst = appendField(dst, `,"detail":"`, r.Detail)
	dst = appendMetadata(dst, r.Metadata)
	return append(dst, '}')
}

// appendField appends key, s and a closing quote, or nothing if s is empty.
func appendField(dst []byte, key, s string) []byte {
	if s == "" {
		return dst
	}
	dst = append(dst, key...)
	dst = appendText(dst, s)
	return append(dst, '"')
}

func appendNumber(dst []byte, key string, n int) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, key...), int64(n), 10)
}

func appendMetadata(dst []byte, m map[string]string) []byte {
	if len(m) == 0 {
		return dst
	}
	var few [32]string
	keys := few[:0]
	valid := true
	for k := range m {
		keys = append(keys, k)
		valid = valid && utf8.ValidString(k)
	}
	slices.Sort(keys)
	if !valid {
		// Replacement can change the order and make two keys one; the line must stay canonical.
		clean := make(map[string]string, len(m))
		for _, k := range keys {
			c := string([]rune(k))
			if _, ok := clean[c]; !ok {
				clean[c] = m[k]
			}
		}
		return appendMetadata(dst, clean)
	}
	dst = append(dst, `,"metadata":{`...)
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = appendText(dst, k)
		dst = append(dst, `":"`...)
		dst = appendText(dst, m[k])
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

var (
	firstTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// appendTime writes t in UTC as 2006-01-02T15:04:05.000000000Z, a third of the cost of AppendFormat.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 {
		return appendTime(dst, firstTime)
	}
	if year > 9999 {
		return appendTime(dst, lastTime)
	}
	hour, minute, second := t.Clock()
	dst = append(appendDigits(dst, year, 4), '-')
	dst = append(appendDigits(dst, int(month), 2), '-')
	dst = append(appendDigits(dst, day, 2), 'T')
	dst = append(appendDigits(dst, hour, 2), ':')
	dst = append(appendDigits(dst, minute, 2), ':')
	dst = append(appendDigits(dst, second, 2), '.')
	return append(appendDigits(dst, t.Nanosecond(), 9), 'Z')
}

// appendDigits appends n, which is not negative, as exactly w digits.
func appendDigits(dst []byte, n, w int) []byte {
	var b [9]byte
	for i := w - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, b[:w]...)
}
