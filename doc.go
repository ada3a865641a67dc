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
// The example of this package is the program that README.md opens with. Others run by themselves:
//
//	go run ./examples/quickstart    a .env file, one agent, the log of what it did
//	go run ./examples/groupchat     three agents that try each other's keys
//	go run ./examples/rotation      new keys, and another root, while an agent works
//	go run ./examples/backup        a backup, and its rehearsal
//	go run ./examples/restore       a lost machine, and an attacker who puts old files back
//	go run ./examples/langchaingo   three agents of a framework, none of which sees a key; so do eino, genkit, openai
//	go run ./examples/mcp           the same over MCP, for agents in other processes and languages
//	go run ./examples/drill         a leaked key at 3 a.m., while a hostile agent keeps calling with it
//
// # Folders
//
//	scope                 paths, patterns, and what a token may do with them
//	audit                 records, the log they form, checkpoints, proofs, verification
//	vault                 the door: Vault, Operator, Session, Log
//	agent                 what one agent holds: clients, tools and wrappers that never show the key
//	agent/redact          masks what a run has touched, in text, streams, logs and answers
//	agent/mcp             an agent's tools over MCP, a module of its own
//	vault/vaulttest       a vault in memory for unit tests, and assertions on its log
//	audit/otelaudit       records as OpenTelemetry logs, a module of its own
//	backend/memory        a store that ends with the process
//	backend/file          a store in one text file, for one process
//	backend/sqlite        a store in one SQLite file, shared by the processes of one machine
//	backend/kms           the key at the root: any go-kms-wrapping wrapper, a key file, a passphrase, or several of them
//	backend/anchor        the head of a vault's log, kept in a store on another system
//	backend/backendtest   the suite that every store passes, and yours should
//	examples              programs that run offline, modules of their own
//	harness               programs that break vaults on purpose, a module of its own
//
// Imports point down only: scope and audit import nothing of ours; of the public packages vault imports these two, the backends
// and agent import vault. A test of this package checks it.
package keyward
