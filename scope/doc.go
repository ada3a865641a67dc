// SPDX-License-Identifier: Apache-2.0

// Package scope decides which paths a token may touch, and with which action.
//
// # Grammar
//
// In the manner of ABNF; literals are case-sensitive and there is no other spelling of anything.
//
//	scope   = "secrets:" action ":" pattern
//	action  = "read" / "use" / "write" / "delete" / "list" / "*"
//	pattern = path / [ path "/" ] "*"
//	path    = segment *15( "/" segment )
//	segment = 1*64( %x41-5A / %x61-7A / %x30-39 / "." / "_" / "-" )   ; A-Z a-z 0-9 . _ -
//	text    = [ scope *63( %x20 scope ) ]                             ; the text form of a Set
//
// A segment is not only dots. A path, and a pattern too, is at most 16 segments and 512 bytes; the star counts as a
// segment of one byte, so every pattern matches at least one path. In the text of a set the scopes are sorted by their
// bytes and none is there twice.
//
// Input outside the grammar is refused, never cleaned, trimmed, decoded or folded. Errors say what is allowed and do
// not quote the input: it may be a secret that was pasted in the wrong place.
//
// # Meaning
//
// A pattern that is a path matches that path, byte for byte. A pattern that ends in a star matches whatever has one or
// more further segments, at any depth; the star alone matches every path. No other character is special.
//
// Read includes use. Both include list. The action * is all five. Write and delete include nothing else. A set allows
// what any of its scopes allows. Nothing denies, so adding a scope never takes anything away.
//
//	scope                              action  path                            allowed
//	secrets:read:production/*          read    production/tavily               yes
//	secrets:read:production/*          read    production/tavily/api-key       yes
//	secrets:read:production/*          use     production/tavily/api-key       yes
//	secrets:read:production/*          list    production/tavily/api-key       yes
//	secrets:read:production/*          write   production/tavily/api-key       no
//	secrets:read:production/*          read    production                      no
//	secrets:read:production/*          read    production2/x                   no
//	secrets:read:production/*          read    production/../staging/x         no
//	secrets:read:production/*          read    Production/tavily               no
//	secrets:use:production/search      use     production/search               yes
//	secrets:use:production/search      list    production/search               yes
//	secrets:use:production/search      read    production/search               no
//	secrets:use:production/search      use     production/search/tavily        no
//	secrets:use:*                      use     staging                         yes
//	secrets:write:staging/x            write   staging/x                       yes
//	secrets:write:staging/x            delete  staging/x                       no
//	secrets:write:staging/x            list    staging/x                       no
//	secrets:*:staging/*                delete  staging/x                       yes
//	secrets:*:staging/*                *       staging/x                       yes
//	secrets:read:staging/*             *       staging/x                       no
//
// Two paths that differ by case alone are two paths here. The vault keeps the second from being created.
package scope
