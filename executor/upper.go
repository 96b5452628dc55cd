// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"

	"github.com/pillion-dev/pillion/executor/internal/place"
)

// upper is a Local as the packages on top of this one see it.
type upper Local

func init() { place.Of = func(local any) place.Local { return (*upper)(local.(*Local)) } }

// Place implements [place.Local].
func (u *upper) Place() *place.Place { return &u.place }

// Bind implements [place.Local].
func (u *upper) Bind() *place.Place {
	if t := u.current; t != nil && t.pooled() {
		at := u.worker.pin
		t.more().pin = at
		if at.group != nil {
			return &at.group.place
		}
	}
	return &u.place
}

// Base implements [place.Local].
func (u *upper) Base() context.Context { return u.cx.base() }

// Shortcut implements [place.Local].
func (u *upper) Shortcut(again place.Shortcut, f any, resume func() (suspended, ok bool)) place.Shortcut {
	t := u.current
	if t == nil || t.flags&(flagPooled|flagHooked) != 0 || !t.run.owns(f) {
		return again
	}
	s, ok := again.(*shortcut)
	if !ok {
		s = new(shortcut)
	}
	*s = shortcut{resume, t.run, t}
	t.run = s
	t.flags |= flagShortcut
	return s
}
