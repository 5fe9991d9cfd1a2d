package apply

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/flock"
)

// locked calls f while this process alone has locked the file at name, which is created and
// then removed. It waits for another process until ctx ends. On a file system without locks it
// does not wait: two processes then do the same work, but publish one result.
func locked(ctx context.Context, name string, f func() error) error {
	for {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
		if err != nil {
			return err
		}
		if _, err := flock.Wait(ctx, file); err != nil {
			return errors.Join(err, file.Close())
		}
		if isAt, err := flock.IsAt(file, name); err != nil || !isAt { // removed by its holder
			if err := errors.Join(err, file.Close()); err != nil {
				return err
			}
			continue
		}
		err = f()
		_ = os.Remove(name) // a file that remains is used by the next process
		return errors.Join(err, file.Close())
	}
}
