// SPDX-License-Identifier: Apache-2.0

// Package seeded is the seeded bug of the fuzz harness: a parser that is off by one, and a fuzz target that finds it. It is
// built with the tag seededbug only.
package seeded
