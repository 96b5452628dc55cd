// SPDX-License-Identifier: Apache-2.0

package event

import (
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/watch"
)

func TestABaseOfItsOwn(t *testing.T) {
	host, err := New()
	if err != nil {
		t.Fatal(err)
	}
	l := executor.New(executor.Config{Host: host})
	if err := host.Attach(l); err != nil {
		t.Fatal(err)
	}
	var w executor.Watch
	w.Open(l, 0, nil)
	task, _ := executor.Spawn[watch.Events](l, w.Ready(watch.Priority))
	if err := host.Run(); err != nil {
		t.Fatal(err)
	}
	if task.Err() != watch.ErrUnwatchable {
		t.Fatal(task.Err())
	}
	executor.Spawn(l, future.Sleep(time.Hour))
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
}
