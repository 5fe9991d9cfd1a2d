package report

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// stepIndent is how far steps stand from the edge.
const stepIndent = 6

// step prints one step of a change: a command as a shell reads it, a file as the
// difference to what is there, anything else in words.
func (p *page) step(c *resources.Change, s resources.Step) {
	switch s := s.(type) {
	case resources.Run:
		p.command(s)
	case resources.WriteFile:
		p.line(stepIndent, "%s%s", stepText(s), keptText(s))
		if !isOurs(s.Path) {
			p.fileDiff(s, wasMode(c))
		}
	case resources.SmokeTest:
		for _, text := range proofTexts(s) {
			p.line(stepIndent, "%s", text)
		}
	default:
		p.line(stepIndent, "%s", stepText(s))
	}
}

// keptText says that what a file replaces is not lost.
func keptText(s resources.WriteFile) string {
	if s.Replaces.IsZero() || s.Replaces == sha256.Sum256([]byte(s.Content)) {
		return ""
	}
	return " (what is there is kept)"
}

// wasMode returns the mode that what a change writes has now, if it changes.
func wasMode(c *resources.Change) string {
	for _, f := range c.Fields {
		if f.Path == "mode" {
			return f.Actual
		}
	}
	return ""
}

// isOurs reports whether a path is of reconcile's own folder, whose files say
// nothing to people.
func isOurs(path string) bool {
	return strings.HasPrefix(path, layout.Dir+"/") || strings.HasPrefix(path, layout.GenerationLink+"/")
}

// command prints what will run, and below it how.
func (p *page) command(s resources.Run) {
	prompt := p.paint(faint, "$ ")
	for _, line := range foldCommand(quoteWords(commandWords(s)), p.o.Width-stepIndent-2) {
		p.raw(spaces(stepIndent) + prompt + line + "\n")
		prompt = "  "
	}
	for _, text := range commandNotes(s) {
		p.line(stepIndent+2, "(%s)", text)
	}
}

// commandWords are the words to type in place of a step: variables that it gets
// stand before the program.
func commandWords(s resources.Run) []string {
	words := append([]string{s.Program}, s.Args...)
	if len(s.Env) > 0 {
		words = append(append([]string{"env"}, s.Env...), words...)
	}
	return words
}

// commandNotes say how a program runs beside its words.
func commandNotes(s resources.Run) []string {
	var notes []string
	if s.Dir != "" {
		notes = append(notes, "in "+s.Dir)
	}
	if len(s.Offline) > len(s.Args) {
		notes = append(notes, fmt.Sprintf("first with %s, from the cache", resources.ShellJoin(s.Offline[len(s.Args):]...)))
	}
	if s.Index {
		notes = append(notes, "with this machine's package index")
	}
	return notes
}

// stepText says in words what a step does.
func stepText(s resources.Step) string {
	switch s := s.(type) {
	case resources.MakeDir:
		return fmt.Sprintf("make directory %s (%s)", s.Path, s.Mode)
	case resources.WriteFile:
		return fmt.Sprintf("write %s (%s, %s)", s.Path, s.Mode, bytesize.Format(int64(len(s.Content))))
	case resources.SetMode:
		return fmt.Sprintf("set the mode of %s to %s", s.Path, s.Mode)
	case resources.Link:
		return fmt.Sprintf("link %s -> %s", s.Path, s.Target)
	case resources.Remove:
		if s.Type == facts.Regular {
			return "remove " + s.Path + " (what is there is kept)"
		}
		return "remove " + s.Path
	case resources.Move:
		return fmt.Sprintf("rename %s to %s", s.From, s.To)
	case resources.Fetch:
		return fetchText(s)
	case resources.Run:
		return "run " + Command(append([]string{s.Program}, s.Args...))
	case resources.Reuse:
		return fmt.Sprintf("reuse %s of %s", plural.Count(len(s.Dists), "distribution"), s.From)
	case resources.Compile:
		return "compile bytecode in " + s.Generation
	case resources.SmokeTest:
		return strings.Join(proofTexts(s), "; ")
	case resources.Seal:
		what := plural.Count(len(s.Packages), "distribution")
		if len(s.Conda) > 0 {
			what = plural.Count(len(s.Conda), "package") + " of conda and " + what
		}
		text := fmt.Sprintf("verify %s and seal %s", what, s.Generation)
		for _, v := range s.Variables {
			text += fmt.Sprintf("; inside, %s is %s", v.Name, v.Path)
		}
		return text
	case resources.Switch:
		return fmt.Sprintf("make it visible: %s -> %s", s.Link, s.Target)
	}
	return resources.StepName(s)
}

// proofTexts says what a proof shows, a part each.
func proofTexts(s resources.SmokeTest) []string {
	var texts []string
	if len(s.Imports) > 0 {
		texts = append(texts, "prove that these import: "+strings.Join(s.Imports, ", "))
	}
	skipped := ""
	if !s.GPU {
		skipped = " (skipped: no GPU)"
	}
	if s.CUDA {
		text := "prove CUDA: torch sees the GPU, a matrix product"
		if s.Driver != "" {
			text += ", torch's CUDA against " + s.Driver + " of the driver"
		}
		texts = append(texts, text+skipped)
	}
	if q := s.QLoRA; q != nil {
		text := "prove QLoRA: 4-bit " + q.QuantType
		if q.DoubleQuant {
			text += ", double quantisation"
		}
		texts = append(texts, text+", "+q.ComputeDtype+skipped)
	}
	return texts
}

func fetchText(s resources.Fetch) string {
	text := "fetch "
	if len(s.URLs) > 0 {
		text += s.URLs[0]
	}
	if len(s.URLs) > 1 {
		text += fmt.Sprintf(" (or from %s)", plural.Count(len(s.URLs)-1, "other place"))
	}
	if s.Size > 0 {
		text += " (" + bytesize.Format(s.Size) + ")"
	}
	return text + " into " + s.Path + ", sha256 " + s.SHA256.String()
}
