// SPDX-License-Identifier: Apache-2.0

package sdevent

import (
	"runtime"
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/foreign"
)

func TestTheDefaultLoopOfAnotherThreadIsRefused(t *testing.T) {
	hosts := make(chan *foreign.Host)
	done := make(chan struct{})
	defer close(done)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		host, err := Default()
		if err != nil {
			t.Error(err)
			close(hosts)
			return
		}
		hosts <- host
		<-done
	}()
	host, ok := <-hosts
	if !ok {
		return
	}
	defer host.Close()
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != foreign.ErrWrongThread {
		t.Fatal(err)
	}
}
