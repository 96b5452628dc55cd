// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/foreign"
)

func init() { cases["a_forked_child_touches_nothing_of_the_parents"] = forks }

// forks forks without a word to Go. The child is one thread of it, and must not wait for
// another: it calls the host, and ends.
func forks(r *rig) {
	var tasks []*executor.Task[int]
	for range 20 {
		tasks = append(tasks, spawn(r, blocked()))
	}
	r.settle()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	l := executor.New(executor.Config{})
	child, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if child == 0 {
		code := uintptr(0)
		for i, err := range [...]error{r.host.Close(), r.host.Wake(), r.host.Run(), r.host.Attach(l)} {
			if err != foreign.ErrForked {
				code = uintptr(i + 1)
			}
		}
		unix.RawSyscall(unix.SYS_EXIT_GROUP, code, 0, 0)
	}
	r.is(errno == 0, errno)
	var status unix.WaitStatus
	for _, err := unix.Wait4(int(child), &status, 0, nil); err == unix.EINTR; {
		_, err = unix.Wait4(int(child), &status, 0, nil)
	}
	r.is(status.Exited() && status.ExitStatus() == 0, status)
	for _, task := range tasks {
		task.Cancel()
	}
	r.run()
	r.work()
}
