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
//	           the value alone determines, without padding. And with + / escaped as in URLs, JSON and HTML
//	hex        lower and upper case
//	percent    as the functions of Go, browsers, Java and Python write it that escape a part of a URL, and every byte as %XX;
//	           upper and lower case
//	quoted     as fmt writes it with %q and %+q
//	JSON       as encoding/json writes it with and without escaped HTML, with \/, in ASCII only, with \u00XX for + ' " & < >, and
//	           as Gson writes it
//	HTML, XML  with " and ' written in the ways of Go, Python and browsers, or not at all
//
// Encoded forms of fewer than 6 characters are left out: they would be found by chance. A value of more than 1,024 bytes is cut
// into pieces of about 256 that overlap, each masked in all its forms. So an echoed part of a long key is masked as well, but for
// at most 255 bytes at each of its ends, and no pattern is longer than some kilobytes.
//
// What touches or overlaps becomes one Mask. What is not found: a value that was cut off, split (into lines, say), reversed,
// compressed, encrypted, encoded twice (JSON inside of JSON) or in a form that is not named above; and what was written in another
// case, as the names of a header are.
//
// # Streams
//
// Writer, Reader and ResponseWriter pass on at once what cannot be the beginning of a pattern; only bytes that are one
// wait for the next. A stream and a string give the same result, however the stream was cut. A value that is added while a
// stream runs counts from then on.
package redact
