// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// peak is the most memory in a while.
type peak struct {
	live     int64 // of the heap, as the collector found it
	resident int64 // of the process; 0 where that cannot be read
}

func (p peak) String() string {
	if p.resident == 0 {
		return mib(p.live)
	}
	return fmt.Sprintf("%s live, %s resident", mib(p.live), mib(p.resident))
}

// live is what of the heap is in use now.
func live() int64 {
	debug.FreeOSMemory() // and collects
	return marked()
}

func marked() int64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// resident reads Linux's count of pages.
func resident() (n int64) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var all int64
	if _, err := fmt.Sscan(string(text), &all, &n); err != nil {
		return 0
	}
	return n * int64(os.Getpagesize())
}

// watcher looks at the memory again and again.
type watcher struct {
	peak peak
	end  chan struct{}
	done chan struct{}
}

func watch() *watcher {
	debug.FreeOSMemory()
	w := &watcher{end: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		t := time.NewTicker(10 * time.Millisecond)
		defer t.Stop()
		for {
			w.look()
			select {
			case <-t.C:
			case <-w.end:
				return
			}
		}
	}()
	return w
}

func (w *watcher) look() {
	w.peak.live, w.peak.resident = max(w.peak.live, marked()), max(w.peak.resident, resident())
}

func (w *watcher) stop() peak {
	close(w.end)
	<-w.done
	runtime.GC()
	w.look()
	return w.peak
}
