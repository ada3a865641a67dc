// SPDX-License-Identifier: Apache-2.0

package scope

// Action is what is done with a secret. Only the six constants are actions; any other string is refused in a scope and
// allowed by no set.
type Action string

const (
	Read   Action = "read"   // reveal the value; includes Use and List
	Use    Action = "use"    // have the value applied without seeing it; includes List
	Write  Action = "write"  // put a new version
	Delete Action = "delete" // remove the secret
	List   Action = "list"   // see the path and its attributes, not the value
	Any    Action = "*"      // all of them
)

// basic holds the actions other than Any; the position is the bit in bits.
var basic = [...]Action{Read, Use, Write, Delete, List}

// bits is a set of basic actions.
type bits uint8

const (
	readBit bits = 1 << iota
	useBit
	writeBit
	deleteBit
	listBit
	allBits = readBit | useBit | writeBit | deleteBit | listBit
)

// needs returns what must be granted before a may be done; 0 if a is not an action.
func (a Action) needs() bits {
	switch a {
	case Read:
		return readBit
	case Use:
		return useBit
	case Write:
		return writeBit
	case Delete:
		return deleteBit
	case List:
		return listBit
	case Any:
		return allBits
	}
	return 0
}

// grants returns what a scope with the action a grants; 0 if a is not an action.
func (a Action) grants() bits {
	switch a {
	case Read:
		return readBit | useBit | listBit
	case Use:
		return useBit | listBit
	}
	return a.needs()
}
