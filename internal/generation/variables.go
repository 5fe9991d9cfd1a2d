package generation

import (
	"fmt"
	"io"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// WriteVariables writes which variables a generation sets for those who enter it.
// Without any it writes nothing, so that generations of earlier releases stay what
// is asked for. Where the project lies is no part of it.
func WriteVariables(w io.Writer, list []resources.Variable) {
	for _, v := range list {
		fmt.Fprintf(w, "variable %q %q\n", v.Name, v.Path)
	}
}
