// SPDX-License-Identifier: Apache-2.0

package backendtest

import "github.com/keyward-go/keyward/vault"

// cases is the contract as a table. The order is that of vault.Store.
var cases = []testCase{
	{"rows/order", "Rows answers in the byte order of the keys: whoever pages would miss or repeat rows in any other", rowsOrder},
	{"rows/pages", "a page begins with the first key >= from and has n rows, fewer only at the end", rowsPages},
	{"rows/replace", "a row is written over the row of the same key, and has the number and data of the last write", rowsReplace},
	{"rows/remove", "nil data removes a row, and a row that is not there; the key can be written anew", rowsRemove},
	{"rows/last", "rows of a batch are written in order, so the last of a key stands: a batch gathers many operations", rowsLastStands},
	{"rows/big", "a sealed value of 1 MiB and a key of 1,024 bytes are stored byte for byte", rowsBig},
	{"rows/keys", "a key is 1 to 1,024 bytes of UTF-8 without NUL, and any other is ErrInvalid, with nothing of its batch kept: what cannot be read back as it was would open as tampered with", rowsKeys},
	{"rows/alone", "a batch of rows without lines is committed", rowsAlone},
	{"lines/bytes", "lines come back byte for byte: they are hashed, so one changed byte breaks the log", linesBytes},
	{"lines/numbers", "lines are numbered from 0 in the order of their commits", linesNumbers},
	{"lines/pages", "a page begins with line from and has n lines, fewer only at the end", linesPages},
	{"lines/many", "a batch has up to 1,024 lines and 4 MiB", manyInOneBatch},
	{"keep/drops", "lines below Keep are gone, nothing is answered in their place, and the others keep their numbers", keepDrops},
	{"keep/none", "numbers are not reused when no line is left", keepNone},
	{"keep/beyond", "a batch that drops more lines than there are then is refused with ErrConflict, whole: the numbers of lines to come would be skipped", keepBeyond},

	{"changed/since", "fn is passed the rows whose Seq is since or higher, all of them and no others: a missed one is a revocation that this process never sees", changedSince},
	{"changed/replaced", "a replaced row is passed once, with the number of its last write", changedReplaced},
	{"changed/sealed", "rows whose key begins with \"x:\" are never passed, and no others are left out: sealed values are read when needed", changedSealed},
	{"changed/removed", "removed rows are never passed; one written anew is", changedRemoved},
	{"changed/restored", "a restore writes rows of earlier lines, also without a line; they are passed by their Seq like any other", changedRestored},

	{"update/error", "an error of fn is returned as it is and means that nothing changed", fnError},
	{"update/panic", "a panic of fn comes through, changes nothing and frees the lock", fnPanics},
	{"update/once", "fn runs at most once an Update: it counts uses", fnOnce},
	{"update/empty", "a batch without lines and rows commits nothing, whatever else it says", emptyBatch},
	{"update/first", "a batch is refused as a whole unless First is the number of lines: it was decided on another state", firstMismatch},
	{"update/scrub", "Scrub and a Mark of 440 bytes change nothing of what is stored", scrubAndMark},

	{"copies/in", "the store keeps no slice that it is given", copiesIn},
	{"copies/out", "the store gives out no slice that it keeps", copiesOut},
	{"copies/apart", "slices of one answer do not overlap, their spare capacity included", copiesApart},
	{"copies/last", "what was given out stays as it was: buffers are not used again", copiesLast},

	{"ctx/before", "a context that has ended is answered with its error, and fn does not run", ctxBefore},
	{"ctx/waiting", "a context that ends while Update waits for the lock ends the wait, and nothing changed", ctxWaiting},
	{"ctx/commit", "a context that ends in fn or later does not stop the commit: its outcome would be unknown", ctxCommit},
	{"wait/readers", "Update locks out writers only: Rows and Lines answer meanwhile", readersPass},
	{"wait/fair", "the wait is fair: of two busy callers each has a quarter of the commits or more", func(t *trial) error { return t.fair(t, t) }},
	{"wait/linear", "16 writers at once commit one after the other, each batch as a whole and none lost", func(t *trial) error { return t.linear(t) }},
	{"wait/busy", "the wait ends with ErrBusy after at most 10 s", busyAtLast},

	{"reopen/stands", "all that was committed is there after Close and open, and nothing else", reopenStands},
	{"reopen/keep", "numbers are not reused after a reopen when no line is left", reopenKeeps},
	{"reopen/empty", "a new store is empty and opens again", reopenEmpty},
	{"reopen/durable", "a batch is stored when Update returns, not when the store is closed", durableOnReturn},

	{"handles/flow", "what one handle writes is passed to the other's next Update", handlesFlow},
	{"handles/first", "a batch that was decided before the other handle wrote is refused", handlesConflict},
	{"handles/linear", "Update locks out the writers of every handle", two(func(t *trial, a, b vault.Store) error { return t.linear(a, b) })},
	{"handles/fair", "the wait is fair between handles: each has a quarter of the commits or more", two((*trial).fair)},
	{"handles/close", "closing one handle leaves the locks of the others in place", handlesClose},

	{"mark/newest", "Mark answers the newest mark of a commit: an older one hides that later records were cut off", markNewest},
	{"mark/reopen", "the mark is still there after Close and open", markReopen},
	{"mark/failed", "the mark of a batch that was not committed is never shown: a vault would refuse to open for records that never were", markFailed},
	{"mark/handles", "every handle shows the newest mark, whichever handle wrote it", markHandles},

	{"close/twice", "after Close every call answers ErrClosed, and a second Close is nil", closeTwice},
	{"close/amidst", "Close while Updates run and wait: each ends, as if it came before or with ErrClosed", closeAmidst},
}
