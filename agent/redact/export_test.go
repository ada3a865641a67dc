// SPDX-License-Identifier: Apache-2.0

package redact

// SetMaxPatterns sets the bound of all patterns and returns what it was.
func SetMaxPatterns(n int) (old int) {
	old, maxPatterns = maxPatterns, n
	return old
}
