package gpu

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// A fault is why a device is not as asked for, or not known to be.
type fault struct {
	code, text, hint string
	unknown          bool
	lost             bool
}

// A judgement is what is said of the devices that a program will see.
type judgement struct {
	spec   *Spec
	seen   nvidia.Visible
	faults []fault // of those that have one
	// Of Count devices that are visible, how many are as asked for: for certain, at
	// best, and at best if what is not known is as asked for too.
	certain, best, hoped int
}

func (s *Spec) judge(seen nvidia.Visible) judgement {
	j := judgement{spec: s, seen: seen}
	good, open := 0, 0
	for _, u := range seen.Units {
		f, ok := s.fault(u)
		switch {
		case ok:
			good++
			continue
		case f.unknown:
			open++
		}
		j.faults = append(j.faults, f)
	}
	others := len(seen.Units) - good // in doubt, those may be the ones that are visible
	j.certain = max(0, seen.Count-others)
	j.best = min(seen.Count, good)
	j.hoped = min(seen.Count, good+open)
	return j
}

// fault judges one device.
func (s *Spec) fault(u nvidia.Unit) (f fault, ok bool) {
	if t := u.Trouble(); t != nil {
		return fault{code: "gpu." + t.Code, text: t.Summary, hint: t.Hint, lost: true}, false
	}
	asked := s.asked(u)
	switch order, comparable := nvidia.Compare(u.Compute, s.Compute); {
	case asked.Bytes > 0 && u.Memory == 0:
		return fault{
			code: "gpu.unknown", text: fmt.Sprintf("the memory of %s is not known, %s asked for", u.Name, asked), unknown: true,
			hint: "the driver does not tell it: on GPUs that share the memory of the machine, or without the right to ask. Compare it by hand",
		}, false
	case asked.Bytes > 0 && u.Memory < asked.least():
		f := fault{
			code: "gpu.too-small", text: fmt.Sprintf("%s has %s, %s asked for", u.Name, mib(u.Memory), asked),
			hint: "training would run out of memory. Use a machine with more of it, or change `memory` or `by_model` in the manifest",
		}
		if strings.Contains(u.Name, " MIG ") {
			f.hint = "a slice is not the whole GPU. Make a larger one, turn MIG off with `sudo nvidia-smi -mig 0`, or change `memory` or `by_model` in the manifest"
		}
		return f, false
	case s.Compute != "" && !comparable:
		return fault{
			code: "gpu.unknown", text: fmt.Sprintf("the compute capability of %s is not known, %s asked for", u.Name, s.Compute), unknown: true,
			hint: "an old driver does not tell it. Compare it by hand with NVIDIA's list of GPUs",
		}, false
	case s.Compute != "" && order < 0:
		return fault{
			code: "gpu.too-old", text: fmt.Sprintf("%s has compute capability %s, at least %s asked for", u.Name, u.Compute, s.Compute),
			hint: "use a newer GPU: bfloat16 needs 8.0 (Ampere) or later; or change `compute` in the manifest",
		}, false
	}
	return fault{}, true
}

// problems says what is wrong: too few that will do, then what else to look at.
func (j judgement) problems() (problems []*diag.Problem) {
	asked := int(j.spec.Count)
	switch {
	case j.hoped < asked:
		return []*diag.Problem{j.tooFew()}
	case j.certain >= asked:
	case j.best >= asked:
		problems = append(problems, j.doubt())
	default:
		problems = append(problems, j.unknown())
	}
	for _, f := range j.faults {
		if f.lost {
			problems = append(problems, &diag.Problem{Code: f.code, Severity: diag.Warn, Summary: f.text, Hint: f.hint})
		}
	}
	return problems
}

// tooFew says why there are not as many as asked for.
func (j judgement) tooFew() *diag.Problem {
	asked := int(j.spec.Count)
	p := &diag.Problem{Severity: j.spec.Severity, Found: j.found()}
	switch {
	case j.seen.All == 0:
		p.Code, p.Summary = "gpu.none", "the driver shows no GPU"
		p.Hint = "ask for a GPU where this machine or container is started (`--gpus all`); on a machine of its own see `lspci | grep -i nvidia`"
	case j.seen.Count < asked && j.seen.Named >= asked:
		p.Code, p.Found = "gpu.slices", j.seen.Note
		p.Summary = fmt.Sprintf("a program sees %d of %s, %d asked for", j.seen.Count, plural.Count(j.seen.All, "GPU"), asked)
		p.Hint = "run one process for each slice, with its UUID in CUDA_VISIBLE_DEVICES (`nvidia-smi -L`), and ask for `count: 1`; name only whole GPUs there; or turn MIG off with `sudo nvidia-smi -mig 0`"
	case j.seen.Count < asked && j.seen.All >= asked:
		p.Code, p.Found = "gpu.hidden", j.seen.Invalid
		p.Summary = fmt.Sprintf("%s leaves %d of %s visible, %d asked for", j.seen.Setting, j.seen.Count, plural.Count(j.seen.All, "GPU"), asked)
		p.Hint = "unset CUDA_VISIBLE_DEVICES, or name each GPU that is there once: CUDA reads it up to the first that is not"
	case j.seen.Count < asked:
		p.Code = "gpu.too-few"
		p.Summary = fmt.Sprintf("%s, %d asked for", there(j.seen.Count), asked)
		p.Hint = "use a machine with more GPUs, or change `count` in the manifest"
	default:
		first := j.faults[max(0, slices.IndexFunc(j.faults, func(f fault) bool { return !f.unknown }))]
		p.Code, p.Hint = first.code, first.hint
		if len(j.seen.Units) == 1 {
			p.Summary, p.Found = first.text, j.seen.Note
			break
		}
		p.Summary = fmt.Sprintf("%d of %s as asked for, %d needed", j.best, plural.Count(len(j.seen.Units), "GPU"), asked)
	}
	return p
}

// doubt says that the outcome depends on which devices are meant.
func (j judgement) doubt() *diag.Problem {
	return &diag.Problem{
		Code: "gpu.order", Severity: diag.Warn,
		Summary: fmt.Sprintf("it is not known which GPUs %s means, and not all of them are as asked for", j.seen.Setting),
		Found:   j.found(),
		Hint:    "CUDA counts the fastest first, the driver by the bus: set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID (`nvidia-smi -L`)",
	}
}

// unknown names what is not known.
func (j judgement) unknown() *diag.Problem {
	p := &diag.Problem{Code: "gpu.unknown", Severity: diag.Warn}
	for _, f := range j.faults {
		if !f.unknown {
			continue
		}
		if p.Summary == "" {
			p.Summary, p.Hint = f.text, f.hint
			continue
		}
		p.Found += f.text + "\n"
	}
	p.Found = strings.TrimSuffix(p.Found, "\n")
	return p
}

// found lists what is wrong with each device.
func (j judgement) found() string {
	lines := make([]string, len(j.faults))
	for i, f := range j.faults {
		lines[i] = f.text
	}
	return strings.Join(lines, "\n")
}

// nodes is the Problem of device files, nil without any. One that this user may not
// open stops CUDA; one that is missing may be made when the first program asks.
func (s *Spec) nodes(n facts.Nvidia) *diag.Problem {
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

// summary is such as "1 GPU: NVIDIA H100 80GB HBM3, 81559 MiB, compute capability 9.0".
func summary(seen nvidia.Visible) string {
	var b strings.Builder
	b.WriteString(plural.Count(seen.Count, "GPU"))
	if why := slices.DeleteFunc([]string{seen.Setting, seen.Note}, func(s string) bool { return s == "" }); len(why) > 0 {
		fmt.Fprintf(&b, " of %d (%s)", seen.All, strings.Join(why, "; "))
	}
	if seen.Ambiguous() {
		b.WriteString(", not known which")
	}
	var lines []string
	times := make(map[string]int)
	for _, u := range seen.Units {
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
	text := u.Name + ", memory not known"
	if u.Memory > 0 {
		text = u.Name + ", " + mib(u.Memory)
	}
	if u.Compute != "" {
		text += ", compute capability " + u.Compute
	}
	return text
}

func there(n int) string {
	if n == 1 {
		return "there is 1 GPU"
	}
	return fmt.Sprintf("there are %d GPUs", n)
}
