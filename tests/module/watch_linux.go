// SPDX-License-Identifier: Apache-2.0

package module

import (
	"strconv"
	"syscall"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/watch"
)

func init() {
	export.Loop("test.loop_cat", func(co *coro.Co, fd string) (string, error) {
		n, err := strconv.Atoi(fd)
		if err != nil {
			return "", err
		}
		return cat(co, n)
	}, export.Doc("Writes back what it reads from a non-blocking descriptor, until that ends; tells how many bytes."))
}

// cat has no goroutine and no netpoller: the host of the executor watches.
func cat(co *coro.Co, fd int) (string, error) {
	var w executor.Watch
	if err := w.Open(co.Local(), fd, nil); err != nil {
		return "", err
	}
	defer w.CloseLocal()
	readable, writable := w.Ready(watch.Readable), w.Ready(watch.Writable)
	var buffer [4096]byte
	for total := 0; ; {
		n, err := syscall.Read(fd, buffer[:])
		switch {
		case err == syscall.EAGAIN:
			if _, err := coro.Await(co, readable); err != nil {
				return "", err
			}
			continue
		case err != nil:
			return "", err
		case n == 0:
			return strconv.Itoa(total), nil
		}
		total += n
		for from := 0; from < n; {
			wrote, err := syscall.Write(fd, buffer[from:n])
			if err == syscall.EAGAIN {
				_, err = coro.Await(co, writable)
			}
			if err != nil {
				return "", err
			}
			from += max(wrote, 0)
		}
	}
}
