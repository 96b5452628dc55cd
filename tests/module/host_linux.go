// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/pillion-dev/pillion/capi/host"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/watch"
)

func init() {
	export.Func("test.host_orders", func(context.Context, []byte) (string, error) { return "", hostOrders() })
	export.Func("test.host_serve", serve)
}

// goHost counts what its executor tells it.
type goHost struct {
	name        string
	drops, told int
	live        bool
}

func (h *goHost) Timer(int64)    { h.told++ }
func (h *goHost) Live(live bool) { h.live = live; h.told++ }
func (h *goHost) Drop()          { h.drops++ }

// watchingHost watches what a task awaits, by saying that it is ready.
type watchingHost struct {
	goHost
	keys map[int]uint64
}

func (h *watchingHost) Watch(fd int, events watch.Events, key uint64) error {
	h.keys[fd] = key
	return nil
}

func (h *watchingHost) Unwatch(fd int, key uint64) { delete(h.keys, fd) }

// hostOrders plays each order of three deeds on an executor, on hosts of both kinds, and
// finds each host dropped once, or never if its attach has failed.
func hostOrders() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := host.Held()
	for order := range 5 * 5 * 5 {
		if err := playOrder(order); err != nil {
			return fmt.Errorf("order %d: %w", order, err)
		}
		if now := host.Held(); now != before {
			return fmt.Errorf("order %d: C holds %d hosts, not %d", order, now, before)
		}
	}
	return nil
}

func playOrder(order int) error {
	ex, err := host.New()
	if err != nil {
		return err
	}
	var hosts, failed []*goHost
	freed, attached := false, 0
	attach := func(to host.Executor) {
		h := &watchingHost{keys: map[int]uint64{}}
		var its host.Host = h
		if len(hosts)%2 == 0 {
			its = &h.goHost
		}
		if err := host.Attach(to, its); err != nil {
			failed = append(failed, &h.goHost)
			return
		}
		hosts = append(hosts, &h.goHost)
		attached++
	}
	attach(ex)
	for range 3 {
		switch order % 5 {
		case 0, 1:
			attach(ex) // in place of the earlier one
		case 2:
			_ = host.Detach(ex)
		case 3:
			_ = ex.Free()
			freed = true
		case 4:
			attach(0)
			other := make(chan struct{})
			go func() { attach(ex); close(other) }() // of another thread
			<-other
		}
		if _, _, err := ex.Turn(nil); (err != nil) != freed {
			return fmt.Errorf("a turn answers %w", err)
		}
		order /= 5
	}
	if !freed {
		if err := ex.Free(); err != nil {
			return err
		}
	}
	for i, h := range hosts {
		if h.drops != 1 {
			return fmt.Errorf("host %d was dropped %d times", i, h.drops)
		}
	}
	for _, h := range failed {
		if h.drops != 0 {
			return errors.New("a host was dropped whose attach has failed")
		}
	}
	return nil
}

// serve drives an executor, whose handle it writes to the given descriptor, until it has
// got as many posted events as asked for, and answers the payloads in a row.
func serve(_ context.Context, request []byte) (string, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pipe, want := binary.NativeEndian.Uint64(request), binary.NativeEndian.Uint64(request[8:])
	h := &goHost{}
	ex, err := host.New()
	if err != nil {
		return "", err
	}
	defer ex.Free()
	if err := host.Attach(ex, h); err != nil {
		return "", err
	}
	fd, err := ex.FD()
	if err != nil {
		return "", err
	}
	handle := binary.NativeEndian.AppendUint64(nil, uint64(ex))
	if _, err := os.NewFile(uintptr(pipe), "pipe").Write(handle); err != nil {
		return "", err
	}
	var all []byte
	for got := uint64(0); got < want; {
		events, _, err := ex.Turn(nil)
		if err != nil {
			return "", err
		}
		for _, e := range events {
			all = append(all, e.Payload...)
			got++
		}
		if len(events) == 0 {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		}
	}
	if host.Held() < 1 || h.drops != 0 {
		return "", errors.New("C holds no host")
	}
	return string(all), nil
}
