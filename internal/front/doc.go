// SPDX-License-Identifier: Apache-2.0

// Package front is what every HTTP front of a vault does before it looks at what is asked: it serves the hosts and origins that it
// was told, takes the bearer from one place, and believes only the connection about where a request comes from, or a proxy that
// was named. A refusal goes through the door of the vault, which records it.
package front
