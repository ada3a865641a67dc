// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
)

// socketDir is a folder whose name leaves room for that of a socket.
func socketDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "kw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// stale leaves a socket that nobody listens on.
func stale(t *testing.T, path string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
}

func TestListenReplacesNothingElse(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		make func(path string) error
		want error
	}{
		{"nothing", func(string) error { return nil }, nil},
		{"a stale socket", func(path string) error { stale(t, path); return nil }, nil},
		{"a file", func(path string) error { return os.WriteFile(path, []byte("root key"), 0o600) }, vault.ErrInvalid},
		{"a folder", func(path string) error { return os.Mkdir(path, 0o700) }, vault.ErrInvalid},
		{"a link to a file", func(path string) error {
			return errors.Join(os.WriteFile(path+"-real", []byte("root key"), 0o600), os.Symlink(path+"-real", path))
		}, vault.ErrInvalid},
		{"a link to a stale socket", func(path string) error { stale(t, path+"-real"); return os.Symlink(path+"-real", path) }, vault.ErrInvalid},
		{"a link to nothing", func(path string) error { return os.Symlink(path+"-real", path) }, vault.ErrInvalid},
	} {
		path := socketDir(t) + "/s"
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.Lstat(path)
		l, err := server.Listen(ctx, "unix:"+path, server.Listening{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		after, _ := os.Lstat(path)
		if c.want != nil && (after == nil || !os.SameFile(before, after)) {
			t.Errorf("%s: was replaced", c.name)
		}
		if l != nil {
			l.Close()
		}
	}
}

func TestListenUnix(t *testing.T) {
	ctx, path := context.Background(), socketDir(t)+"/s"
	group := strconv.Itoa(os.Getgid())
	l, err := server.Listen(ctx, "unix:"+path, server.Listening{Mode: 0o660, Group: group})
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Lstat(path)
	if err != nil || fi.Mode() != os.ModeSocket|0o660 || strconv.Itoa(int(fi.Sys().(*syscall.Stat_t).Gid)) != group {
		t.Errorf("%v, %v", fi, err)
	}
	if l.Addr().String() != path || l.Addr().Network() != "unix" {
		t.Errorf("it says that it listens on %v", l.Addr())
	}
	if _, err := server.Listen(ctx, "unix:"+path, server.Listening{}); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("a second one: %v", err)
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(serving, l, http.NotFoundHandler(), nil) }()
	c := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
	resp, err := c.Get("http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	c.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if left, err := os.ReadDir(path[:len(path)-2]); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A folder in which everyone may replace the socket is none for it.
func TestListenFolder(t *testing.T) {
	for _, c := range []struct {
		mode os.FileMode
		want error
	}{
		{0o700, nil}, {0o755, nil}, {0o770, nil}, {0o777 | os.ModeSticky, nil}, {0o777, vault.ErrInvalid}, {0o702, vault.ErrInvalid},
	} {
		dir := socketDir(t)
		stale(t, dir+"/s")
		before, err := os.Lstat(dir + "/s")
		if err := errors.Join(err, os.Chmod(dir, c.mode)); err != nil {
			t.Fatal(err)
		}
		l, err := server.Listen(context.Background(), "unix:"+dir+"/s", server.Listening{})
		if !errors.Is(err, c.want) {
			t.Errorf("%v: %v", c.mode, err)
		}
		if after, err := os.Lstat(dir + "/s"); c.want != nil && (err != nil || !os.SameFile(before, after)) {
			t.Errorf("%v: the socket that was there is not: %v", c.mode, err)
		}
		if l != nil {
			l.Close()
		}
	}
}

// What another has put in the place of the socket is not removed with it.
func TestListenRemovesItsOwn(t *testing.T) {
	path := socketDir(t) + "/s"
	l, err := server.Listen(context.Background(), "unix:"+path, server.Listening{})
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Lstat(path); err != nil || fi.Mode() != os.ModeSocket|0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("another's"), 0o600), l.Close()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "another's" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestListenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		addr string
		how  server.Listening
	}{
		"no group of this name": {"unix:" + socketDir(t) + "/s", server.Listening{Group: "no such group"}},
		"setuid":                {"unix:" + socketDir(t) + "/s", server.Listening{Mode: os.ModeSetuid | 0o600}},
		"a socket with TLS":     {"unix:" + socketDir(t) + "/s", server.Listening{TLS: &tls.Config{}}},
		"a mode of an address":  {"127.0.0.1:0", server.Listening{Mode: 0o660}},
		"open without TLS":      {"0.0.0.0:0", server.Listening{}},
		"a port alone":          {":0", server.Listening{}},
		"no port":               {"localhost", server.Listening{}},
	} {
		if l, err := server.Listen(context.Background(), c.addr, c.how); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
}
