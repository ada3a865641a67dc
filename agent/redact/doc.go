// SPDX-License-Identifier: Apache-2.0

// Package redact masks credentials that a run has touched, wherever they turn up: in the answers of tools and upstreams, in
// logs, spans and output of programs. It is the second net, and not the fence: it finds what it knows, in the forms that it
// knows.
//
// # What is masked
//
// Every value that was given to Add, and these forms of it:
//
//	raw        from 4 bytes on; a shorter value is not masked at all
//	base64     standard and URL alphabet, at each of the three alignments, so inside of other data too: the characters that
//	           the value alone determines, without padding. And with + / escaped as in URLs and JSON
//	hex        lower and upper case
//	percent    as url.QueryEscape and url.PathEscape write it, and every byte as %XX; upper and lower case
//	JSON       as encoding/json writes it with and without escaped HTML, with \/, in ASCII only, and with \u00XX for + ' " & < >
//	HTML       as html.EscapeString writes it
//
// Encoded forms of fewer than 6 characters are left out: they would be found by chance. A value of more than 1,024 bytes is cut into pieces
// of 256 that overlap by 16, each masked in all its forms, so an echoed part of a long key is masked as well, and no pattern is
// longer than some kilobytes.
//
// What touches or overlaps becomes one Mask. What is not found: a value that was split, reversed, compressed, encrypted, encoded
// twice or in a form that is not named above.
//
// # Streams
//
// Writer, Reader and ResponseWriter pass on at once what cannot be the beginning of a pattern; only bytes that are one
// wait for the next. A stream and a string give the same result, however the stream was cut. A value that is added while a
// stream runs counts from then on.
package redact
