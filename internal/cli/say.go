package cli

import (
	"fmt"
	"io"

	"github.com/reconcile-ml/reconcile/internal/report"
)

// say prints one line. Whatever the words came from, a file name or another user,
// they do nothing to the terminal.
func say(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintln(w, report.Escape(fmt.Sprintf(format, args...)))
	return err
}
