package report

import (
	"io"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Facts writes what is known of a machine as one versioned document, for people
// to read and for `reconcile plan --facts`.
func Facts(w io.Writer, f *facts.Facts) error { return writeJSON(w, f, "  ") }
