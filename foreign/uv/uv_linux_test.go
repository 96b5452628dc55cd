// SPDX-License-Identifier: Apache-2.0

package uv

import (
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/foreign"
)

func TestTheDefaultLoop(t *testing.T) {
	host, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != nil {
		t.Fatal(err)
	}
	task, _ := executor.Spawn(l, future.Sleep(0))
	loop := foreign.Call(defaultLoop)
	foreign.Call(run, loop, 0) // UV_RUN_DEFAULT
	if !task.Done() {
		t.Fatal("the loop has ended before it")
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	foreign.Call(run, loop, 0)
	if err := loadMore(); err != nil {
		t.Fatal(err)
	}
	if r := foreign.Call(loopClose, loop); int32(r) != 0 {
		t.Fatal(failed(r))
	}
}
