// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package server_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
)

var killRounds = flag.Int("kill-rounds", 4, "how often TestKill kills a server")

const childEnv = "KEYWARD_SERVER_CHILD" // where the vault of a child is

// TestMain is a server in a child, until it is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, serveChild(dir))
	os.Exit(1)
}

func openDir(ctx context.Context, dir string) (*vault.Vault, error) {
	store, err := sqlite.Open(ctx, filepath.Join(dir, "vault.db"))
	if err != nil {
		return nil, err
	}
	return vault.Open(ctx, vault.Config{Store: store, Root: kms.KeyFile(filepath.Join(dir, "root.key"))})
}

func serveChild(dir string) error {
	ctx := context.Background()
	v, err := openDir(ctx, dir)
	if err != nil {
		return err
	}
	cfg := server.Config{Vault: v, Rate: 1e6, Burst: 1e6}
	gateway, err := server.NewGateway(cfg)
	if err != nil {
		return err
	}
	api, err := server.NewAPI(cfg)
	if err != nil {
		return err
	}
	l, err := server.Listen(ctx, "127.0.0.1:0", server.Listening{})
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return server.Serve(ctx, l, server.Route(map[string]http.Handler{"/use/": gateway, "/": api}), nil)
}

// TestKill kills a server (kill -9) while 8 clients read and use. Whatever one of them has got is in the log, which verifies. More
// rounds: go test ./server -run TestKill -kill-rounds 500
func TestKill(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "used") }))
	defer upstream.Close()
	v, err := openDir(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	policy := vault.Policy{Hosts: []string{upstream.URL}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if _, err := v.Operator("test").Put(ctx, vault.Item{Path: path, Value: vault.NewSecret(canary), Policy: policy}); err != nil {
		t.Fatal(err)
	}
	s, err := v.Operator("test").Issue(ctx, vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:*:production/*"), TTL: 10 * time.Hour, MaxUses: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	tok := s.Token().Reveal()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{} // calls that were answered, and with what op
	for round := range *killRounds {
		killOnce(t, dir, tok, round, got)
		v, err := openDir(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		wrong, n := against(ctx, t, v, got)
		for _, text := range wrong {
			t.Errorf("round %d: %s", round, text)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		if round == *killRounds-1 {
			t.Logf("%d rounds: %d answered, %d recorded", *killRounds, len(got), n)
		}
	}
}

// against holds what was answered against the log: calls, and with what op. It returns what does not fit, and how many calls are
// recorded.
func against(ctx context.Context, t *testing.T, v *vault.Vault, answered map[string]string) (wrong []string, n int) {
	t.Helper()
	recorded := map[string]string{}
	for r, err := range v.Log().Records(ctx, audit.Filter{Outcome: audit.Granted, Agent: "researcher"}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Call != "" {
			n++
			recorded[r.Call] = r.Op
		}
	}
	for call, op := range answered {
		if recorded[call] != op {
			wrong = append(wrong, fmt.Sprintf("%s %s was answered and is recorded as %q", op, call, recorded[call]))
		}
	}
	if err := v.Log().Verify(ctx); err != nil {
		wrong = append(wrong, err.Error())
	}
	all, err := v.Operator("test").Tokens(ctx)
	if err != nil || len(all) != 1 || all[0].Uses != n {
		wrong = append(wrong, fmt.Sprintf("%d recorded, counted: %+v, %v", n, all, err))
	}
	return wrong, n
}

// What TestKill looks for it would find: an answer without a record, and one that is recorded as another.
func TestKillWouldFind(t *testing.T) {
	b := newBed(t, nil)
	s, err := b.op.Issue(t.Context(), vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:read:*"), TTL: time.Hour, MaxUses: 10})
	if err != nil {
		t.Fatal(err)
	}
	read := func(call string) {
		body := `{"path":"` + path + `","call":"` + call + `"}`
		resp, text := b.send(t, "POST", "/api/v1/get", body, "Authorization: Bearer "+s.Token().Reveal(), "Content-Type: application/json")
		if resp.StatusCode != 200 {
			t.Fatal(text)
		}
	}
	read("1")
	read("2")
	for _, c := range []struct {
		answered map[string]string
		want     string
	}{
		{map[string]string{"1": "get", "2": "get"}, ""},
		{map[string]string{"1": "get"}, ""}, // recorded, and the answer was lost
		{map[string]string{"1": "get", "2": "get", "3": "get"}, `get 3 was answered and is recorded as ""`},
		{map[string]string{"1": "get", "2": "use"}, `use 2 was answered and is recorded as "get"`},
	} {
		wrong, n := against(t.Context(), t, b.Vault, c.answered)
		if strings.Join(wrong, "; ") != c.want || n != 2 {
			t.Errorf("%v: %q, %d recorded", c.answered, wrong, n)
		}
	}
}

// killOnce starts a server, kills it under load, and adds what was answered to got.
func killOnce(t *testing.T, dir, tok string, round int, got map[string]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr = strings.TrimSpace(addr)
	var mu sync.Mutex
	var wg sync.WaitGroup
	enough := make(chan struct{})
	answered := 0
	for i := range 8 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for n := 0; ; n++ {
				call, op, want := fmt.Sprintf("%d-%d-%d", round, i, n), "get", canary
				req, _ := http.NewRequest("POST", "http://"+addr+"/api/v1/get", strings.NewReader(`{"path":"`+path+`","call":"`+call+`"}`))
				if n%2 == 1 {
					op, want = "use", "used"
					req, _ = http.NewRequest("POST", "http://"+addr+"/use/"+path+"/~/v1", nil)
					req.Header.Set("Keyward-Call", call)
				}
				req.Header.Set("Authorization", "Bearer "+tok)
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				if err != nil {
					return // killed
				}
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if strings.Contains(string(text), want) { // a part is enough
					mu.Lock()
					got[call] = op
					if answered++; answered == 8 {
						close(enough)
					}
					mu.Unlock()
				} else if resp.StatusCode != 200 {
					t.Errorf("%s: %d %s", op, resp.StatusCode, text)
					return
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	select {
	case <-enough:
	case <-ended:
		t.Error("the server ended by itself")
	}
	for range rand.N(200) { // at any moment: a few requests of our own later
		resp, err := http.Get("http://" + addr + "/healthz")
		if err != nil {
			t.Error(err)
			break
		}
		resp.Body.Close()
	}
	_ = cmd.Process.Kill()
	wg.Wait()
	_ = cmd.Wait()
}
