// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// clockSlack is how far clocks may be apart, as the vault has it.
const clockSlack = 2 * time.Minute

// checkFiles looks at what the store or the key file will refuse, so that all of it is named at once: they refuse one thing
// at a time. File systems of other machines they alone know, and refuse.
func (d *doctor) checkFiles(check, path string, suffixes ...string) {
	before := len(d.findings)
	for _, suffix := range suffixes {
		info, err := os.Lstat(path + suffix)
		switch {
		case err == nil:
			d.checkFile(check, path+suffix, info)
		case !errors.Is(err, fs.ErrNotExist):
			d.failed(check, err)
		case suffix == "":
			d.problem(check, "put it back, or say where it is", "%s is not there", path)
		}
	}
	d.refused = d.refused || len(d.findings) > before
	d.checkFolder(check, filepath.Dir(path))
	if len(d.findings) == before {
		d.ok(check, "%s is yours alone", path)
	}
	for _, suffix := range suffixes {
		if info, err := os.Lstat(path + suffix); err == nil && time.Until(info.ModTime()) > clockSlack {
			d.warn("clock", "set the clock of this machine", "%s was written at %s, which is in the future", path+suffix, when(info.ModTime()))
		}
	}
}

func (d *doctor) checkFile(check, file string, info fs.FileInfo) {
	mode := info.Mode()
	switch {
	case mode&fs.ModeSymlink != 0:
		d.problem(check, "name the file that it stands for", "%s is a symbolic link", file)
	case !mode.IsRegular():
		d.problem(check, "move it away", "%s is not a regular file", file)
	case !ours(info):
		text, next, _ := strings.Cut(d.ofAnother(file), "\n  ")
		d.problem(check, next, "%s%s", file, text)
	case mode.Perm()&0o077 != 0:
		d.problem(check, "if nobody has, chmod 600 "+file+"; else keyward rotate --compromised", "%s can be used by others (mode %04o)", file, mode.Perm())
	case linked(info):
		d.problem(check, "remove the other name", "%s has a second name, by which another program may use it", file)
	}
}

func (d *doctor) checkFolder(check, dir string) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		d.failed(check, err)
	case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
		d.problem(check, "chmod o-w "+dir, "everyone can replace files in %s", dir)
		d.refused = d.refused || check == "store"
	case info.Mode().Perm()&0o020 != 0 && info.Mode()&fs.ModeSticky == 0:
		d.warn(check, "chmod g-w "+dir, "a group can replace files in %s", dir)
	case !ours(info) && !ofRoot(info):
		d.warn(check, "use a folder of your own", "%s belongs to another user, who can replace its files", dir)
	}
}

func (d *doctor) checkApart(key, store string) {
	if beside(key, store) {
		d.problem("root key", "move the key file to another folder, or another machine, and say where with --root; keep it out of the backups of the vault",
			"%s lies in the folder of the vault, so one copy takes both", key)
	}
}

func (d *doctor) checkAnchor(anchor, store string) {
	switch {
	case anchor == "":
		d.warn("anchor", "keyward anchor begins one on another disk; or keep what keyward checkpoint prints elsewhere, daily, and give it to keyward audit verify --checkpoint",
			"there is none here, so nobody would see that the whole vault was put back to an older state")
	case beside(anchor, store):
		d.warn("anchor", "put it on another disk", "%s lies in the folder of the vault, with which it would be put back", anchor)
	default:
		d.ok("anchor", "is at %s", anchor)
	}
}
