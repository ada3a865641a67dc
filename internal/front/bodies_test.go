// SPDX-License-Identifier: Apache-2.0

package front_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/internal/front"
)

// held is a body of 1 MiB that does not end before it is let go.
type held struct {
	left  int
	there func()
	let   <-chan struct{}
}

func (h *held) Read(p []byte) (int, error) {
	if h.left == 0 {
		h.there()
		<-h.let
		return 0, io.EOF
	}
	n := min(len(p), h.left)
	copy(p, strings.Repeat("x", n))
	h.left -= n
	return n, nil
}

// However many send large bodies, what is held of them at once is bounded; small ones are read all the same, and large ones again
// when there is room.
func TestLargeBodiesAtOnce(t *testing.T) {
	read := func(body io.Reader) int {
		r := httptest.NewRequest("POST", "/", body)
		r.ContentLength = -1
		r.Header.Set("Content-Type", "application/json")
		var v struct{}
		if no := front.ReadJSON(httptest.NewRecorder(), r, 2<<20, &v); no != nil {
			return no.Status
		}
		return http.StatusOK
	}
	let := make(chan struct{})
	var reached, ended sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for range 80 {
		reached.Add(1)
		there := sync.OnceFunc(reached.Done)
		ended.Go(func() {
			status := read(&held{1 << 20, there, let})
			there()
			mu.Lock()
			count[status]++
			mu.Unlock()
		})
	}
	reached.Wait()
	if status := read(strings.NewReader("{}")); status != http.StatusOK {
		t.Errorf("a small one: %d", status)
	}
	close(let)
	ended.Wait()
	if count[http.StatusServiceUnavailable] < 10 || count[http.StatusBadRequest] < 60 { // what is held is no JSON
		t.Errorf("%v", count)
	}
	if status := read(strings.NewReader("{" + strings.Repeat(" ", 1<<20) + "}")); status != http.StatusOK {
		t.Errorf("a large one afterwards: %d", status)
	}
}
