// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocsCommands runs the commands of the pages on upkeep in a shell, as they stand there, on a vault with one secret: only folders
// outside of home are others. What stands between the pieces here is what the page says must have happened.
func TestDocsCommands(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh on this machine to run the commands in:", err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const vault = "\nV=$HOME/.local/share/keyward; K=$HOME/.config/keyward\n"
	for _, page := range []struct {
		name string
		want int      // pieces of sh
		then []string // before the first, between them, and behind the last
		says []string
	}{
		{"backup", 2, []string{"mkdir -p mnt/key; cp $K/root.key mnt/key", "", "test ! -e rehearsal"}, []string{"the vault is restored"}},
		{"rotate-keys", 3, []string{
			"",
			"keyward audit list --op rotate --limit 1 --json | grep 'step.*end'",
			"",
			"if keyward list; then exit 9; fi",
		}, []string{"tokens live on", "every token is dead", "production/search/key", "wrong root key"}},
		{"restore", 2, []string{
			"mkdir old; cp $V/* old; keyward backup -o agents.backup; cp old/vault.db $V; rm -f $V/*-wal $V/*-shm; if keyward list; then exit 9; fi",
			"keyward list",
			"keyward list --store srv/agents/vault.db; keyward doctor --store srv/agents/vault.db",
		}, []string{"store was rolled back", "vault is restored at", "production/search/key"}},
	} {
		t.Run(page.name, func(t *testing.T) {
			text, err := os.ReadFile("../../docs/" + page.name + ".md")
			if err != nil {
				t.Fatal(err)
			}
			pieces := regexp.MustCompile("(?s)\n *```sh\n(.*?)\n *```\n").FindAllStringSubmatch(string(text), -1)
			if len(pieces) != page.want {
				t.Fatalf("%d pieces of sh, want %d", len(pieces), page.want)
			}
			script := "keyward() { KEYWARD_TEST_AS=keyward \"$EXE\" \"$@\"; }\n" +
				"keyward init; echo " + canary + " | keyward set production/search/key --host api.example.com" + vault + page.then[0]
			for i, piece := range pieces {
				script += "\n" + piece[1] + "\n" + page.then[i+1]
			}
			script = strings.NewReplacer("file:/mnt/", "file:$PWD/mnt/", "file:/etc/", "file:$PWD/etc/", "/srv/agents", "srv/agents").Replace(script)
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), sh, "-eu", "-c", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+filepath.Join(dir, "home"), "EXE="+exe, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=", "KEYWARD_STORE=", "KEYWARD_ROOT=", "KEYWARD_TOKEN=", "KEYWARD_ANCHOR=")
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range page.says {
				if !strings.Contains(strings.ToLower(string(out)), strings.ToLower(want)) {
					t.Errorf("nothing says %q", want)
				}
			}
			if strings.Contains(string(out), canary) {
				t.Error("a value was shown")
			}
		})
	}
}
