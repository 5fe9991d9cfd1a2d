package gpu

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// A mismatch is why a device does not meet the requirements, or may not.
type mismatch struct {
	code, text, hint string
	unknown          bool
	lost             bool
}

// A comparison is the result for the devices that a program can use.
type comparison struct {
	spec       *Spec
	visible    nvidia.Visible
	mismatches []mismatch
	// The number of visible devices that match: certain, at best, and at best if those with
	// unknown values match too.
	certain, best, hoped int
}

func (s *Spec) compare(visible nvidia.Visible) comparison {
	c := comparison{spec: s, visible: visible}
	good, unknown := 0, 0
	for _, u := range visible.Units {
		m := s.compareUnit(u)
		if m == nil {
			good++
			continue
		}
		if m.unknown {
			unknown++
		}
		c.mismatches = append(c.mismatches, *m)
	}
	others := len(visible.Units) - good // if visible is ambiguous, these may be the visible ones
	c.certain = max(0, visible.Count-others)
	c.best = min(visible.Count, good)
	c.hoped = min(visible.Count, good+unknown)
	return c
}

// compareUnit compares one device with the requirements; nil means that it meets them.
func (s *Spec) compareUnit(u nvidia.Unit) *mismatch {
	if t := u.Trouble(); t != nil {
		return &mismatch{code: "gpu." + t.Code, text: t.Summary, hint: t.Hint, lost: true}
	}
	required := s.memoryFor(u)
	switch order, comparable := catalog.Compare(u.Compute, s.Compute); {
	case required.Bytes > 0 && u.Memory == 0:
		return &mismatch{
			code: "gpu.unknown", text: fmt.Sprintf("the memory of %s is unknown, %s required", u.Name, required), unknown: true,
			hint: "the driver does not report it for GPUs that share the memory of the machine, or without permission. Compare it yourself",
		}
	case required.Bytes > 0 && u.Memory < required.least():
		m := &mismatch{
			code: "gpu.too-small", text: fmt.Sprintf("%s has %s, %s required", u.Name, mib(u.Memory), required),
			hint: "training would run out of memory. Use a machine with more of it, or change `memory` or `by_model` in the manifest",
		}
		if strings.Contains(u.Name, " MIG ") {
			m.hint = "a slice is not the whole GPU. Create a larger one, disable MIG with `sudo nvidia-smi -mig 0`, or change `memory` or `by_model` in the manifest"
		}
		return m
	case s.Compute != "" && !comparable:
		return &mismatch{
			code: "gpu.unknown", text: fmt.Sprintf("the compute capability of %s is unknown, %s required", u.Name, s.Compute), unknown: true,
			hint: "an old driver does not report it. Find it in NVIDIA's list of GPUs",
		}
	case s.Compute != "" && order < 0:
		return &mismatch{
			code: "gpu.too-old", text: fmt.Sprintf("%s has compute capability %s, at least %s required", u.Name, u.Compute, s.Compute),
			hint: "use a newer GPU: bfloat16 needs 8.0 (Ampere) or later; or change `compute` in the manifest",
		}
	}
	return nil
}

// problems returns the main problem, if any, followed by the lost devices.
func (c comparison) problems() (problems []*diag.Problem) {
	required := int(c.spec.Count)
	switch {
	case c.hoped < required:
		return []*diag.Problem{c.tooFew()}
	case c.certain >= required:
	case c.best >= required:
		problems = append(problems, &diag.Problem{
			Code: "gpu.order", Severity: diag.Warn,
			Summary: fmt.Sprintf("it is unknown which GPUs %s names, and not all of them meet the requirements", c.visible.Setting),
			Found:   texts(c.mismatches),
			Hint:    "CUDA numbers the fastest first, the driver by bus: set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID (`nvidia-smi -L`)",
		})
	default:
		unknown := slices.DeleteFunc(slices.Clone(c.mismatches), func(m mismatch) bool { return !m.unknown })
		problems = append(problems, &diag.Problem{
			Code: "gpu.unknown", Severity: diag.Warn, Summary: unknown[0].text, Hint: unknown[0].hint, Found: texts(unknown[1:]),
		})
	}
	for _, m := range c.mismatches {
		if m.lost {
			problems = append(problems, &diag.Problem{Code: m.code, Severity: diag.Warn, Summary: m.text, Hint: m.hint})
		}
	}
	return problems
}

// tooFew returns why fewer GPUs than required match.
func (c comparison) tooFew() *diag.Problem {
	required := int(c.spec.Count)
	p := &diag.Problem{Severity: c.spec.Severity, Found: texts(c.mismatches)}
	switch v := c.visible; {
	case v.All == 0:
		p.Code, p.Summary = "gpu.none", "the driver lists no GPU"
		p.Hint = "request a GPU where this machine or container is started (`--gpus all`); on a physical machine run `lspci | grep -i nvidia`"
	case v.Count < required && v.Named >= required:
		p.Code, p.Found = "gpu.slices", v.Note
		p.Summary = fmt.Sprintf("a program can use %d of %s, %d required", v.Count, plural.Count(v.All, "GPU"), required)
		p.Hint = "run one process for each slice, with its UUID in CUDA_VISIBLE_DEVICES (`nvidia-smi -L`), and require `count: 1`; name only whole GPUs there; or disable MIG with `sudo nvidia-smi -mig 0`"
	case v.Count < required && v.All >= required:
		p.Code, p.Found = "gpu.hidden", v.Invalid
		p.Summary = fmt.Sprintf("%s leaves %d of %s visible, %d required", v.Setting, v.Count, plural.Count(v.All, "GPU"), required)
		p.Hint = "unset CUDA_VISIBLE_DEVICES, or name each existing GPU once: CUDA reads it up to the first invalid entry"
	case v.Count < required:
		p.Code = "gpu.too-few"
		p.Summary = fmt.Sprintf("this machine has %s, %d required", plural.Count(v.Count, "GPU"), required)
		p.Hint = "use a machine with more GPUs, or change `count` in the manifest"
	default:
		first := c.mismatches[max(0, slices.IndexFunc(c.mismatches, func(m mismatch) bool { return !m.unknown }))]
		p.Code, p.Hint = first.code, first.hint
		if len(v.Units) == 1 {
			p.Summary, p.Found = first.text, v.Note
			break
		}
		p.Summary = fmt.Sprintf("%d of %s match, %d required", c.best, plural.Count(len(v.Units), "GPU"), required)
	}
	return p
}

// texts returns the text of each mismatch, one per line.
func texts(list []mismatch) string {
	lines := make([]string, len(list))
	for i, m := range list {
		lines[i] = m.text
	}
	return strings.Join(lines, "\n")
}

// nodeProblem returns the problem of device files, nil for none. CUDA fails on one that this
// user may not open; a missing one may be created when the first program starts.
func (s *Spec) nodeProblem(n facts.Nvidia) *diag.Problem {
	t := nvidia.NodeTrouble(n)
	if t == nil {
		return nil
	}
	p := &diag.Problem{Code: "gpu.nodes", Severity: diag.Warn, Summary: t.Summary, Found: t.Found, Hint: t.Hint}
	if t.Code == "denied" {
		p.Severity = s.Severity
	}
	return p
}

// summary returns, for example, "1 GPU: NVIDIA H100 80GB HBM3, 81559 MiB, compute capability 9.0".
func summary(visible nvidia.Visible) string {
	var b strings.Builder
	b.WriteString(plural.Count(visible.Count, "GPU"))
	if why := slices.DeleteFunc([]string{visible.Setting, visible.Note}, func(s string) bool { return s == "" }); len(why) > 0 {
		fmt.Fprintf(&b, " of %d (%s)", visible.All, strings.Join(why, "; "))
	}
	if visible.Ambiguous() {
		b.WriteString(", unknown which")
	}
	var lines []string
	times := make(map[string]int)
	for _, u := range visible.Units {
		text := describe(u)
		if times[text]++; times[text] == 1 {
			lines = append(lines, text)
		}
	}
	for i, line := range lines {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		if len(lines) > 1 && times[line] > 1 {
			fmt.Fprintf(&b, "%d × ", times[line])
		}
		b.WriteString(line)
	}
	return b.String()
}

func describe(u nvidia.Unit) string {
	if u.Problem != "" {
		return u.Name + ", " + u.Problem
	}
	text := u.Name + ", memory unknown"
	if u.Memory > 0 {
		text = u.Name + ", " + mib(u.Memory)
	}
	if u.Compute != "" {
		text += ", compute capability " + u.Compute
	}
	return text
}
