// SPDX-License-Identifier: Apache-2.0

// Package vault is the one door through which an agent reaches a credential.
//
// A program opens a [Vault] over a [Store] and a [RootKey]. The code that opened it is an [Operator]: it puts values in
// and issues tokens. An agent is given a [Session], the vault seen through one token. Every call of either is decided,
// recorded durably in a log that can be proved, and only then answered; refusals too.
//
// # The way of a call
//
// Every operation is one call of core.do (door.go), the vault behind its closure (core.go), which takes numbered steps:
//
//  1. refuse malformed input: request.go, host.go
//  2. authenticate the credential: identity.go, token.go, issuer.go
//  3. decide, a pure function of request and state: decide.go, over view.go, state.go and claims.go; why not: refusal.go.
//     Floods of refusals are counted: refusals.go
//  4. load the sealed version and open it into a private buffer: load.go, seal.go
//  5. in one update of the store, at the head of the log: decide again, count the use, apply the change, append the
//     record, commit: record.go, queue.go, commit.go, update.go, batch.go, catchup.go, apply.go, head.go; auditors hear of
//     it, and the anchor is moved: auditors.go, anchor.go
//  6. release the value, or answer what was listed: session.go, secret.go, list.go
//
// The head is the lock. Step 5 runs while every other writer, of every process, is locked out, on the state as it is
// then. So revocation, freezing and counting are exact between goroutines, processes and machines, and what step 3
// decided early is only a hint. Calls that wait at the same time share one commit.
//
// # Tokens
//
// A token is a chain of HMACs in the manner of macaroons (Birgisson and others, NDSS 2014). Any holder can narrow it,
// without the vault, and nobody can widen it: what it may do is what all its links allow. Its text is
//
//	kw_tok_ ‖ base64url without padding of the bytes ‖ six base62 digits (0-9 A-Z a-z) of the CRC-32 (IEEE) of all before
//
// and its bytes, with integers big-endian,
//
//	version(1)=1 ‖ token key id(4) ‖ count(1) ‖ blocks ‖ tag(32)
//	block = type(1) ‖ length(2) ‖ fields      type: 1 grant, 2 narrowing, 3 key
//	field = number(1) ‖ length(2) ‖ bytes     ascending, each at most once, none empty
//	tag₀  = HMAC-SHA256(token key, "keyward token v1" ‖ vault id ‖ version ‖ token key id ‖ block₀)
//	tagᵢ  = HMAC-SHA256(tagᵢ₋₁, blockᵢ)
//
// The fields are 1 id (16 random bytes), 2 issued and 3 expires (Unix seconds, 8 bytes), 4 scopes (canonical text of
// [scope.Set]), 5 agent, 6 run, 7 user, 8 tenant, 9 description, 10 max uses (8), 11 networks (CIDR text, one space
// between two), 12 opening (16). A key block stands only first and never alone; a grant is first or behind a key; all else
// is narrowing. A token has at most 8 blocks and 4,096 bytes of text. Whatever does not encode to the same bytes again
// is refused.
//
// The credential of another process (see [Key]) is kw_agent_ or kw_op_ ‖ base64url of 32 random bytes ‖ checksum as above;
// the vault keeps the SHA-256 of its text.
//
// # Rows
//
// What decides lies in rows of JSON, each under a key: "s:<path>" (policy, next number), "v:<path>:<n>" (created, reason,
// metadata, fingerprint, wrapped data key, SHA-256 of the sealed row; or gone), "t:<link id>" (uses, revoked, expires;
// written at the first counted use or at revocation), "k:<id>" (agent key or operator), "f:<kind>:<value>" (freeze). Every
// process holds them in memory. "x:<path>:<n>" is a sealed value, read when it is needed; "cut" is the edge of the log's tree
// where its lines begin, once records were archived, as {"edge":"<text of audit.Tree>"}: it decides nothing, the head says
// where that is, and hashing on from it leads to the head's root or is refused; "keyring" is below, and "head" is
//
//	fields = format(4)=1 ‖ vault id(16) ‖ first(8) ‖ time: seconds(8), nanoseconds(4) ‖ keyring generation(4) ‖ purged(8) ‖
//	         reset(8) ‖ since(8)
//	head   = fields ‖ edge ‖ HMAC-SHA256(label "head": fields ‖ edge ‖ sum(32))
//
// with the lowest line kept, the effective time, and the right edge of the log's tree, as [audit.Tree] writes it: its size and
// hashes, from which comes the root. Rows of tokens that ended before the Unix second purged are gone: the commit that finds
// 1,024 of them removes them, and every other process drops the same, since a removed row is handed to none. At the line
// reset (of a restore, a compromised rotation, or ResetClock, across which time may go back) every row of a token that was
// written before went, and a grant of before the Unix second since is dead. sum is the sum modulo 2²⁵⁶ of
// HMAC-SHA256(label "row": key, line number(8), data; each behind its length(4)) over all deciding rows. So a row that is
// changed, dropped, added or put back is found when the vault is opened, and rows that other processes write are checked as
// they come in.
//
// A store with a head file is given, with each commit, a mark to keep there: fields ‖ size(8) ‖ root(32) ‖
// HMAC-SHA256(label "mark": all before). When the vault is opened its log must contain the mark's head, and that of
// [Config].Anchor if there is one (mark.go, anchor.go).
//
// # Sealing
//
// Each version has a data key of 32 random bytes. The value is AES-256-GCM under it (nonce in front), with the associated
// data "keyward value v1", vault id, path, version(8), each behind its length(4). The data key is wrapped with the
// keyring's Tink AEAD under the same with "keyward dek v1". The keyring is
//
//	"kwkr" ‖ version(1)=1 ‖ RootKey ciphertext of format(4) ‖ vault id, generation(4) and four Tink keysets, each behind
//	its length(4): AEAD, token PRF, state PRF, Ed25519; behind them, if there are former token keys, behind its
//	length(4) a list of key id(4) ‖ retired(8), ascending, one for each of them
//
// with "kwkr", the version and the vault id as associated data. In the store it is the row {"keyring":"…"}, in base64. In each
// keyset the primary key wraps or signs, the former ones only open and verify. A token of a former key is refused if its
// grant was issued after the Unix second retired: so it dies when the maximum life has passed since. A label's key is
// HMAC-SHA256(state PRF key, "keyward " ‖ label ‖ " v1"). The fingerprint of a value is the first 16 bytes of its HMAC-SHA256 under the label "fingerprint".
//
// # Rotation
//
// A keyring is never changed; another one of the next generation takes its place (keyring_next.go), in one commit with the head
// that names that generation. A rotation (rotate.go) adds an AEAD key and a token key in a first commit, re-wraps the data keys
// that a former AEAD key has wrapped, part by part (rewrap.go: the first five bytes of a wrapped key name the key that wrapped
// it, so it can be resumed from the rows alone), and drops the former AEAD key in a last one. Each of these is a pass through
// the door, whose record has the op "rotate" and the detail {"step":"begin", "resume", "wrap" or "end", "generation":n,
// "compromised":true,"done":n,"total":n}, zero fields left out. [Operator.SetRoot] (root.go) seals the same keys under
// another root: op "root", detail {"generation":n}.
//
// Whatever was authenticated, opened or sealed with the keys of another generation than that of the head is done again
// (batch.go), so nothing is granted on keys that are gone. A process that meets a newer generation asks its root for the new
// keyring before it decides anything (follow.go), and not while the store is locked. The root is asked beside the caller, who
// waits a bounded time (asked.go).
//
// # Backups
//
// [Operator.Backup] (backup.go, backup_format.go) writes text, in lines
//
//	text ‖ space ‖ 16 hex digits ‖ newline
//
// where the digits are the first 8 bytes, in lower-case hex, of the SHA-256 of the digits of the line before (nothing before the
// first) and the text. A line has at most 4 MiB, about one as a rule. The texts are JSON without spaces:
//
//	first   {"backup":1,"vault":"<vault id in hex>","mark":"<base64>"}
//	then    {"rows":[ROW,…],"lines":[DATUM,…]}, once or more
//	last    {"end":N}, N being the number of lines before it; nothing is behind it
//	ROW     {"key":"<row key>","seq":<line number>,"data":DATUM}
//	DATUM   the bytes as they are if they are a JSON object without control characters, else a string of their base64
//
// The mark is that of the head at which the copy began, as a head file would hold it; it proves first. The first
// of the lines with rows holds the row "keyring" and, if first is not 0, the row "cut", and nothing else, so that a wrong root is
// found before anything is written. Then come the lines of the log, in order from first, and the rows: sealed values, then
// what decides, then what was written while that was copied, and "head". A row stands behind the line that wrote it, or beside
// it; of rows with one key the last counts; sealed values that no version names are not restored. Whether all of it
// belongs together is for the head's MAC, the log's root, and the hashes in the rows of versions.
//
// [Restore] (restore.go, restore_read.go) writes everything but the head as it comes, beside a row "restore" that says that the store
// is no vault; checks all; and then makes the commit that restores: a keyring of the next generation with another token key and no
// former one, every row "k:" revoked, no row "t:" left (reset in the head), the record with the op "restore" and the detail
// {"restored":{"size":n,"root":"<base64>"},"anchor":{…},"mark":{…},"mark_lost":true} (what the anchor and the head file held, if
// anything; mark_lost if there should have been a head file, or one that can be read), the head, and no row "restore". Then the anchor is moved. Keys are revoked since a revocation that came after
// the backup cannot be known; freezes stay since they only stop.
//
// # What it does not stop
//
// Hostile code inside the vault's process or under its user id; who holds both the root key and the store; an agent that
// misuses what it may use. A value that was revealed cannot be called back. Paths, names, metadata and records are stored
// in the clear. An old copy of everything, put back together, is not seen by the vault alone: give it an [Anchor] on another
// system, or keep a checkpoint there.
//
// The formats are version 1. The API is not yet stable.
package vault
