package apply

import (
	"context"
	"errors"
	"os"

	"github.com/reconcile-ml/reconcile/internal/flock"
)

// locked calls f while this process alone has locked the file at name, which is created and
// then removed. It waits for another process until ctx ends. On a file system without locks it
// does not wait: two processes then do the same work, but publish one result.
func locked(ctx context.Context, name string, f func() error) error {
	file, _, err := flock.Open(ctx, name)
	if err != nil {
		return err
	}
	err = f()
	_ = os.Remove(name) // a file that remains is used by the next process
	return errors.Join(err, file.Close())
}
