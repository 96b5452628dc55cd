// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrForked says that this process is a forked child, whose loop is its parent's.
var ErrForked = errors.New("foreign: in a forked child")

// mark is 1, and 0 in a forked child: the kernel wipes its page there.
var mark = sync.OnceValue(func() *byte {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		page = make([]byte, 1)
	} else {
		_ = unix.Madvise(page, unix.MADV_WIPEONFORK) // Linux 4.14 knows it
	}
	page[0] = 1
	return &page[0]
})

func (h *Host) forked() bool { return *h.mark == 0 }
