package resourcetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Text returns a change as text for goldens, one part per line.
func Text(c resources.Change) string {
	var b strings.Builder
	action := string(c.Action)
	if c.Action == resources.None {
		action = "none"
	}
	fmt.Fprintf(&b, "%s\n", action)
	if c.Summary != "" {
		fmt.Fprintf(&b, "  summary: %s\n", c.Summary)
	}
	for _, f := range c.Fields {
		fmt.Fprintf(&b, "  field %s: %q -> %q\n", f.Path, f.Actual, f.Desired)
	}
	for _, p := range c.Packages {
		fmt.Fprintf(&b, "  package %s: %q -> %q\n", p.Name, p.Actual, p.Desired)
	}
	for _, s := range c.Steps {
		if w, ok := s.(resources.WriteFile); ok && len(w.Content) > longText {
			w.Content = fmt.Sprintf("(%d bytes)", len(w.Content))
			s = w
		}
		fmt.Fprintf(&b, "  step %s %s\n", resources.StepName(s), oneLine(s))
	}
	for _, f := range c.Predicts {
		fmt.Fprintf(&b, "  predicts %s %s\n", f.Key(), oneLine(f))
	}
	if c.Need != (resources.Need{}) {
		fmt.Fprintf(&b, "  need: download %d, disk %d\n", c.Need.Download, c.Need.Disk)
	}
	if p := c.Problem; p != nil {
		severity := "error"
		if p.Severity != "" {
			severity = string(p.Severity)
		}
		fmt.Fprintf(&b, "  %s %s: %s\n", severity, p.Code, strings.ReplaceAll(p.Error(), "\n", "\n  "))
	}
	return b.String()
}

// longText is the size in bytes above which a golden omits a content: that of an embedded
// program, which has its own tests.
const longText = 4096

// oneLine returns JSON without HTML escapes.
func oneLine(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}
