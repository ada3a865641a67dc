// SPDX-License-Identifier: Apache-2.0

// Package vault is the one door through which an agent reaches a credential.
package vault
