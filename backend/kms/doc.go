// SPDX-License-Identifier: Apache-2.0

// Package kms has the key at the root of a vault: KeyFile, Passphrase and Wrapper each make a vault.RootKey, and Either
// makes one of several.
//
// A root seals one thing, the vault's keyring, which holds the keys that do the daily work. It is used when a vault is
// opened and when keys are rotated, never on the path of a read. Whoever has the root and the store has every value;
// whoever lost the root has none, and nobody can help: keep a copy of the key file or the passphrase where the store's
// backups are not.
//
// # Which one
//
// Wrapper, if there is a key service. The key never is in this process, its use is logged elsewhere, and it can be taken
// away. It does not protect from somebody who has this process's credentials for the service while they are valid; nor
// the values that a running vault already opened.
//
// KeyFile, for one machine. It protects a store that is copied, backed up or lost without the file. It does not protect
// from root, from this user, or from a copy of the whole disk. Keep it apart from the store: on Linux
// /etc/keyward/root.key in a folder of mode 700 that belongs to the service's user, or on a tmpfs that a supervisor fills
// at boot; not in a repository, an image, or the folder that is backed up with the store. The file must belong to the user of
// the process and have mode 600; secrets that an orchestrator mounts as links, or for a group, are refused: copy them.
//
// Passphrase, for a person who types it. It protects as far as it cannot be guessed: whoever copies the store can try at
// 64 MiB and three passes a guess, for as long as he likes. A variable that holds it is readable by this user's other
// processes, and inherited by children.
//
// Either, so that the loss of a key is not the end: two services, or a service and a key file or passphrase in a safe. Any
// of them opens the vault, so each has to be kept as well as the only one.
//
// # A cloud key
//
// Any wrapper of github.com/hashicorp/go-kms-wrapping works unchanged; its module is yours to import.
//
//	import "github.com/hashicorp/go-kms-wrapping/wrappers/awskms/v2"
//
//	w := awskms.NewWrapper()
//	_, err := w.SetConfig(ctx, wrapping.WithKeyId("arn:aws:kms:eu-central-1:111122223333:key/1234abcd-…"))
//	v, err := vault.Open(ctx, vault.Config{Store: store, Root: kms.Wrapper(w)})
//
// gcpckms.NewWrapper, azurekeyvault.NewWrapper and transit.NewWrapper (HashiCorp Vault, OpenBao) differ in what
// SetConfig wants. Grant the process encrypt and decrypt on that one key: some services let the ciphertext choose the key, and a
// grant on all keys lets whoever can write the store seal a keyring of his own making. Give vault.Open a context with a
// deadline: what does not answer is given up then, and not before. In a test, Wrapper over go-kms-wrapping's own aead
// wrapper with a random key is a root without a file or a service; see the example.
//
// # What a failure means
//
//	vault.ErrNoKey           no key: no file, one that is not safe, an empty passphrase, no wrapper
//	vault.ErrWrongKey        a key, but not the one that sealed this
//	vault.ErrTampered        the right key, and bytes that it does not open
//	vault.ErrKMSUnavailable  the wrapper gave no answer, or none that can be used
//	errors.ErrUnsupported    KeyFile on a system without owners and modes
//
// and the error of the context, alone or behind ErrKMSUnavailable. Which of ErrWrongKey and ErrTampered a damaged blob
// gets is as near as can be known: who overwrites a check value makes the right key look wrong. Nothing is written when
// opening, and no error, panic or print of a root shows a key, a passphrase, or what was sealed.
//
// # Formats
//
// Format 1 of each will be opened by every later version of this package. Integers are big-endian. Every ciphertext
// begins with the kind and the format, one byte each. Limits: plaintext 1 MiB, associated data 64 KiB.
//
// A key file is one line, 57 characters and a newline, which may be missing:
//
//	"kw_root_" ‖ base64url without padding of 32 bytes ‖ 6 digits 0-9A-Za-z of the CRC-32 (IEEE) of all before them
//	kw_root_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh83yF2wU      an example, of the bytes 0 to 31; not for use
//
// KeyFile writes, with root the 32 bytes of the file:
//
//	"F" ‖ 1 ‖ check(32) ‖ nonce(12) ‖ AES-256-GCM ciphertext ‖ tag(16)
//	check = HKDF-SHA256(root, no salt, info "keyward root check", 32 bytes): it names the key
//	key   = HKDF-SHA256(root, no salt, info "keyward root seal", 32 bytes)
//	authenticated beside it: length(4) ‖ all before the nonce ‖ length(4) ‖ the caller's associated data
//
// "plaintext" with associated data "data" under the key file above:
//
//	46 01                                                              kind, format
//	d11474c1974770e96a09bde343054ea043697bf6456ceb71b498846609dbbdd8   check
//	633ed17448775a0eb1680be2                                           nonce
//	cadb3b7f1c02f6f4fc a0660e26011fc3ea82cc966d43a08a76                ciphertext, tag
//
// Passphrase writes the same behind a longer head, with root = Argon2id(passphrase, salt, passes, memory, lanes, 32
// bytes), version 0x13. Written are 3 passes, 65,536 KiB and 4 lanes (RFC 9106, second recommendation); opened are 3 to 10,
// 65,536 to 1,048,576 and 1 to 16.
//
//	"P" ‖ 1 ‖ passes(4) ‖ memory in KiB(4) ‖ lanes(1) ‖ salt(16) ‖ check(32) ‖ nonce(12) ‖ ciphertext ‖ tag(16)
//
// Wrapper writes, where the wrapper sealed mac key(32, random) ‖ plaintext with the caller's associated data:
//
//	"W" ‖ 1 ‖ BlobInfo, a protobuf message of go-kms-wrapping v2 ‖ mac(32) ‖ digest(32)
//	mac    = HMAC-SHA256(mac key, length(4) ‖ all before the mac ‖ length(4) ‖ the caller's associated data)
//	digest = SHA-256(all before it)
//
// The digest finds damage before the wrapper is asked. The MAC binds what wrappers leave unbound: the associated data in
// some, the key id in most, and an answer to its question.
//
// Either writes, with root 32 random bytes that are new at each sealing, check and key derived of it as above:
//
//	"E" ‖ 1 ‖ parts(1) ‖ each part: length(4), bytes ‖ check(32) ‖ nonce(12) ‖ ciphertext ‖ tag(16) ‖ digest(32)
//	part   = what one of the roots wrote for the 32 bytes, with the associated data
//	         length(4) ‖ "E" ‖ 1 ‖ length(4) ‖ the caller's associated data
//	digest = SHA-256(all before it)
//	authenticated beside it: length(4) ‖ all before the nonce ‖ length(4) ‖ the caller's associated data
//
// with 1 to 8 parts of 1 to 4,096 bytes in the order of the roots, which an opening need not have; no part is an Either's. So
// every part is authenticated by the key that any of them holds. testdata/vectors has a file for each verdict.
package kms
