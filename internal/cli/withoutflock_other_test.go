//go:build !linux

package cli

import "errors"

func execWithoutFlock([]string) error { return errors.New("this system has no seccomp") }
