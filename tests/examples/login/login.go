// SPDX-License-Identifier: Apache-2.0

// Package login is an example of a lent function: it asks its caller for a password.
package login

import (
	"context"
	"crypto/subtle"
	"errors"

	"github.com/pillion-dev/pillion/executor/export"
)

type request struct {
	User string
	Ask  export.Callback[string, string] // a prompt, and what was typed
}

func init() {
	export.Func("login.open", open, export.Doc("Opens a session, and asks for the password, three times at most."))
}

func open(ctx context.Context, r request) (string, error) {
	for range 3 {
		password, err := r.Ask.Call(ctx, "Password of "+r.User+": ")
		if err != nil {
			return "", err // also when ctx has ended: nothing is asked any more
		}
		if subtle.ConstantTimeCompare([]byte(password), []byte("sesame")) == 1 {
			return "session of " + r.User, nil
		}
	}
	return "", errors.New("wrong password")
}
