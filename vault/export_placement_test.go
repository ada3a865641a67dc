// SPDX-License-Identifier: Apache-2.0

package vault

// AsBefore runs f as a version of keyward that placed values in any header.
func AsBefore(f func()) {
	now := withoutCredential
	defer func() { withoutCredential = now }()
	withoutCredential = nil
	f()
}
