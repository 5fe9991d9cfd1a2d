// Package cuda checks that the NVIDIA driver offers a CUDA that is new enough. It
// installs nothing: a driver belongs to the machine, and wheels bring the rest.
package cuda

import (
	"cmp"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "cuda".
var Kind = resources.Kind{Name: "cuda", Doc: doc, New: func() resources.Spec { return &Spec{} }, Codes: codes}

const doc = `A requirement: the NVIDIA driver offers a CUDA that is new enough. Nothing is changed, and no
driver is ever installed.

| field | meaning |
|---|---|
| ` + "`environment`" + ` | the environment that asks for it |
| ` + "`minimum`" + ` | the oldest CUDA that will do, such as 12.1 |
| ` + "`severity`" + ` | ` + "`warn`" + ` for a warning; else apply refuses before it changes anything |

There are three versions of CUDA: that of the driver, which decides and is checked here; that of the
toolkit (nvcc), which wheels do not need; and the one that torch was built for, which the kind
` + "`compat`" + ` compares.

No driver, a driver that does not answer, and a container that shows its GPUs without libcuda are
told apart, each with what to do. A version that is not known is a warning, whatever the severity.
`

// Spec is what a driver must offer.
type Spec struct {
	Environment string        `json:"environment"`
	Minimum     string        `json:"minimum"` // "12.1"
	Severity    diag.Severity `json:"severity,omitempty"`
}

// Requirement marks the kind as a check: it has no steps.
func (s *Spec) Requirement() {}

// Owns is this check.
func (s *Spec) Owns() facts.Key { return facts.CheckKey("cuda." + s.Environment) }

// Reads is what the driver says.
func (s *Spec) Reads() []facts.Key { return []facts.Key{facts.NvidiaKey} }

// Diff compares what the driver offers with the minimum. Its summary says both,
// whatever the result.
func (s *Spec) Diff(v facts.View) resources.Change {
	n := facts.Get[facts.Nvidia](v, facts.NvidiaKey)
	if t := cmp.Or(nvidia.DriverTrouble(n, nvidia.Driver(s.Minimum)), nvidia.CUDATrouble(n)); t != nil {
		return s.trouble(t)
	}
	order, ok := nvidia.Compare(n.CUDA, s.Minimum)
	summary := s.summary(n)
	switch {
	case !ok:
		return resources.CheckResult(summary, s.unknown(n))
	case order < 0:
		return resources.CheckResult(summary, s.tooOld(n))
	}
	return resources.Change{Summary: summary}
}

// summary is such as "CUDA 12.4 by driver 550.54.15 (at least 12.1)".
func (s *Spec) summary(n facts.Nvidia) string {
	offered := "CUDA " + n.CUDA
	if n.CUDA == "" {
		offered = "CUDA not known"
	}
	return fmt.Sprintf("%s by %s (at least %s)", offered, driver(n), s.Minimum)
}

func driver(n facts.Nvidia) string {
	return "driver " + cmp.Or(n.Driver, n.Kernel, "of unknown version")
}

// trouble is the Problem of a driver, or of CUDA, that cannot be used at all.
func (s *Spec) trouble(t *nvidia.Trouble) resources.Change {
	summary := map[string]string{
		"no-driver": "no NVIDIA driver",
		"broken":    "the driver does not answer",
		"unusable":  "CUDA cannot be used here",
	}[t.Code]
	return resources.CheckResult(fmt.Sprintf("%s (at least CUDA %s)", summary, s.Minimum),
		&diag.Problem{Code: "cuda." + t.Code, Severity: s.Severity, Summary: t.Summary, Found: t.Found, Hint: t.Hint})
}

func (s *Spec) unknown(n facts.Nvidia) *diag.Problem {
	found := n.CUDAReason
	if least := nvidia.Driver(s.Minimum); least != "" {
		if order, ok := nvidia.Compare(cmp.Or(n.Driver, n.Kernel), least); ok && order >= 0 {
			found = join(found, fmt.Sprintf("%s is not older than %s, which brings CUDA %s", driver(n), least, s.Minimum))
		} else if ok {
			found = join(found, fmt.Sprintf("%s is older than %s, which brings CUDA %s", driver(n), least, s.Minimum))
		}
	}
	return &diag.Problem{
		Code: "cuda.unknown", Severity: diag.Warn,
		Summary: fmt.Sprintf("the CUDA of %s is not known, at least %s is asked for", driver(n), s.Minimum),
		Found:   found,
		Hint:    "look at the first lines of `nvidia-smi`, which show the version of CUDA",
	}
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "\n" + b
}

func (s *Spec) tooOld(n facts.Nvidia) *diag.Problem {
	hint := fmt.Sprintf("update the driver to one that offers CUDA %s", s.Minimum)
	if least := nvidia.Driver(s.Minimum); least != "" {
		hint = fmt.Sprintf("update the driver to %s or newer, which offers CUDA %s", least, s.Minimum)
	}
	hint += "; reconcile never installs drivers. On a rented machine choose an image with a newer one"
	happens := fmt.Sprintf("what is built for CUDA %s finds no GPU with it", s.Minimum)
	if runs, _ := nvidia.Runs(n.CUDA, s.Minimum); runs {
		happens = fmt.Sprintf("what is built for CUDA %s runs with limits", s.Minimum)
		hint += fmt.Sprintf(". With `minimum: %q` this driver is accepted", n.CUDA)
	}
	return &diag.Problem{
		Code: "cuda.too-old", Severity: s.Severity,
		Summary: fmt.Sprintf("%s is too old: it offers CUDA %s, and at least %s is asked for", driver(n), n.CUDA, s.Minimum),
		Found:   fmt.Sprintf("%s: %s", driver(n), happens),
		Hint:    hint,
	}
}
