// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	cases["signals_at_a_kilohertz_lose_nothing"] = signals
	cases["children_come_and_go_and_nothing_is_lost"] = children
}

// storms runs work while something happens beside it, until it is over.
func (r *rig) storms(over func() bool) {
	for !over() {
		var nap doze
		spawn(r, nap.sleep(time.Millisecond/2))
		task := spawn(r, call())
		r.run()
		r.is(nap.late(time.Millisecond/2) >= 0 && task.Done() && task.Err() == nil, nap, task.Err())
	}
}

func signals(r *rig) {
	heard := make(chan os.Signal, 1000)
	signal.Notify(heard, unix.SIGUSR1)
	defer signal.Stop(heard)
	var thread atomic.Int64
	var over atomic.Bool
	thread.Store(int64(unix.Gettid()))
	process := os.Getpid()
	var sending sync.WaitGroup
	sending.Go(func() {
		for !over.Load() {
			unix.Tgkill(process, int(thread.Load()), unix.SIGUSR1)
			time.Sleep(time.Millisecond)
		}
	})
	r.storms(func() bool {
		thread.Store(int64(unix.Gettid()))
		return len(heard) >= 100
	})
	over.Store(true)
	sending.Wait()
}

func children(r *rig) {
	const most = 40
	var reaped sync.WaitGroup
	begun, failed := 0, make(chan error, most)
	r.storms(func() bool {
		if begun < most {
			begun++
			child := exec.Command("/bin/true")
			r.want(child.Start(), nil)
			reaped.Go(func() { failed <- child.Wait() })
		}
		return begun == most && len(failed) == most
	})
	reaped.Wait()
	for range most {
		r.want(<-failed, nil)
	}
}
