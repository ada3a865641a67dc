// SPDX-License-Identifier: Apache-2.0

// Package backend holds the places where a vault lives, one package each.
package backend
