// SPDX-License-Identifier: Apache-2.0

// Package keyward is the front page of a vault that a program opens inside its own process, for the AI agents that it
// runs. There is no code here; this is the tour.
//
// Package vault is where to begin. A program opens a Vault over a store and a root key, and puts credentials in as an
// Operator, which is full authority under a recorded name. It gives each agent run a Session, which reaches what the
// grant of its token says, for as long as it says, and ends when it is revoked. An agent uses a credential without
// seeing it (Session.Use) or is shown it (Session.Get); which of the two, its scopes decide. Each call, refused or granted,
// is a record in the log, durable before anything is released.
//
// The example of this package is the program that README.md opens with. Two more run by themselves:
//
//	go run ./examples/quickstart
//	go run ./examples/groupchat
//
// # Folders
//
//	scope                 paths, patterns, and what a token may do with them
//	audit                 records, the log they form, checkpoints, proofs, verification
//	vault                 the door: Vault, Operator, Session, Log
//	vault/vaulttest       a vault in memory for unit tests, and assertions on its log
//	backend/memory        a store that ends with the process
//	backend/sqlite        a store in one SQLite file, shared by the processes of one machine
//	backend/kms           the key at the root: any go-kms-wrapping wrapper, a key file, a passphrase
//	backend/backendtest   the suite that every store passes, and yours should
//	examples              programs that run offline, a module of its own
//
// Imports point down only: scope and audit import nothing of ours, vault imports these two, the backends import vault.
// A test of this package checks it.
package keyward
