package report

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// viewStep returns one step of a change: a command as a shell reads it, a file with its
// diff, anything else in words.
func viewStep(c *resources.Change, s resources.Step, o Options) stepView {
	switch s := s.(type) {
	case resources.Run:
		words := append([]string{s.Program}, s.Args...)
		if len(s.Env) > 0 {
			words = append(append([]string{"env"}, s.Env...), words...)
		}
		return stepView{Words: quoteWords(words), Notes: escapeAll(commandNotes(s))}
	case resources.SmokeTest:
		return stepView{Texts: escapeAll(smokeTestTexts(s))}
	case resources.WriteFile:
		v := stepView{Texts: []string{Escape(writeText(s))}}
		if s.Internal {
			return v
		}
		d := o.difference(s, actualMode(c))
		v.Diff, v.Aside = d.lines, Escape(d.why)
		if v.Aside != "" {
			v.Aside = "the difference is not shown: " + v.Aside
		} else if s.Replaces.IsZero() && d.added > maxNewLines && !o.Detail {
			v.Diff, v.Aside = nil, fmt.Sprintf("new, %d lines; --detail shows them", d.added)
		}
		return v
	}
	return stepView{Texts: []string{Escape(stepText(s))}}
}

// actualMode returns the mode of the existing file if the change sets another one.
func actualMode(c *resources.Change) string {
	for _, f := range c.Fields {
		if f.Path == "mode" {
			return f.Actual
		}
	}
	return ""
}

func commandNotes(s resources.Run) []string {
	var notes []string
	if s.Dir != "" {
		notes = append(notes, "in "+s.Dir)
	}
	if s.Index {
		notes = append(notes, "with this machine's package index")
	}
	return notes
}

// stepText describes a step that is neither a command nor a file nor a smoke test.
func stepText(s resources.Step) string {
	switch s := s.(type) {
	case resources.MakeDir:
		return fmt.Sprintf("make directory %s (%s)", s.Path, s.Mode)
	case resources.SetMode:
		return fmt.Sprintf("set the mode of %s to %s", s.Path, s.Mode)
	case resources.Link:
		return fmt.Sprintf("link %s -> %s", s.Path, s.Target)
	case resources.Remove:
		if s.Type == facts.Regular && !s.Generated {
			return "remove " + s.Path + " (its content is kept)"
		}
		return "remove " + s.Path
	case resources.Move:
		return fmt.Sprintf("rename %s to %s", s.From, s.To)
	case resources.Fetch:
		return fetchText(s)
	case resources.Build:
		return fmt.Sprintf("build %s %s from %s if the store lacks it", s.Name, s.Version, s.Source)
	case resources.Unpack:
		if len(s.Wheels) == 1 {
			return fmt.Sprintf("unpack %s %s if the store lacks it", s.Wheels[0].Name, s.Wheels[0].Version)
		}
		return fmt.Sprintf("unpack those of %d wheels that the store lacks", len(s.Wheels))
	case resources.FetchWheel:
		return fmt.Sprintf("fetch %s to %s", s.Wheel.File, s.Path)
	case resources.Assemble:
		return fmt.Sprintf("link %s into %s", plural.Count(len(s.Wheels), "distribution"), s.Generation)
	case resources.Compile:
		return "compile bytecode in " + s.Generation
	case resources.Seal:
		what := plural.Count(len(s.Packages), "distribution")
		if len(s.Conda) > 0 {
			what = plural.Count(len(s.Conda), "conda package") + " and " + what
		}
		text := fmt.Sprintf("verify %s and seal %s", what, s.Generation)
		for _, v := range s.Variables {
			text += fmt.Sprintf("; inside, %s is %s", v.Name, v.Path)
		}
		return text
	case resources.Switch:
		return fmt.Sprintf("make it active: %s -> %s", s.Link, s.Target)
	}
	return resources.StepName(s)
}

func writeText(s resources.WriteFile) string {
	text := fmt.Sprintf("write %s (%s, %s)", s.Path, s.Mode, bytesize.Format(int64(len(s.Content))))
	if !s.Replaces.IsZero() && s.Replaces != sha256.Sum256([]byte(s.Content)) {
		text += " (the old content is kept)"
	}
	return text
}

// smokeTestTexts returns a text for each part of a smoke test.
func smokeTestTexts(s resources.SmokeTest) []string {
	var texts []string
	if len(s.Imports) > 0 {
		texts = append(texts, "test that these import: "+strings.Join(s.Imports, ", "))
	}
	skipped := ""
	if !s.GPU {
		skipped = " (skipped: no usable NVIDIA GPU)"
	}
	if s.CUDA {
		text := "test CUDA: torch finds the GPU, a matrix product"
		if s.Driver != "" {
			text += ", CUDA of torch against CUDA " + s.Driver + " of the driver"
		}
		texts = append(texts, text+skipped)
	}
	if q := s.QLoRA; q != nil {
		text := "test QLoRA: 4-bit " + q.QuantType
		if q.DoubleQuant {
			text += ", double quantisation"
		}
		texts = append(texts, text+", "+q.ComputeDtype+skipped)
	}
	if s.MPS {
		texts = append(texts, "test MPS: a matrix product on the GPU of the Mac"+when(!s.Apple, " (skipped: no Mac with Apple silicon)"))
	}
	return texts
}

func fetchText(s resources.Fetch) string {
	text := "fetch "
	if len(s.URLs) > 0 {
		text += s.URLs[0]
	}
	if len(s.URLs) > 1 {
		text += fmt.Sprintf(" (or from %s)", plural.Count(len(s.URLs)-1, "other URL"))
	}
	if s.Size > 0 {
		text += " (" + bytesize.Format(s.Size) + ")"
	}
	return text + " into " + s.Path + ", sha256 " + s.SHA256.String()
}
