// Package savedplan writes a plan to a file and makes it again, under the condition that
// nothing it depends on has changed. A saved plan is compared, never executed.
//
// To apply a saved plan the caller calls Remake twice: before it writes anything, so that a
// refused plan leaves no trace, and again under the project's lock, since the machine may
// have changed in between. It applies the second result. Before the first change it records
// the ID in the journal (state.Journal.BeginPlan), so that no plan is applied twice, however
// the apply ends.
package savedplan

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/planfile"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Plan is a plan that was saved.
type Plan struct {
	*planfile.Document

	name   string // of the file, as the command line names it
	config *session.Config
}

// Read reads a saved plan, and selects the environment that it was made for. It checks
// nothing but the file.
func Read(c *session.Config, name string) (*Plan, error) {
	file, err := c.Path(name)
	if err != nil {
		return nil, err
	}
	text, err := read(file)
	if err != nil {
		return nil, &diag.Problem{Code: "saved.unreadable", Pos: diag.Pos{File: name}, Summary: "the saved plan cannot be read", Found: err.Error(), Hint: "save one with `reconcile plan --out FILE`"}
	}
	d, err := planfile.Decode(text)
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		p.Pos.File = name
		return nil, exit.With(exit.Stale, p)
	}
	if err != nil {
		return nil, err
	}
	selected := d.Environments
	if len(selected) == 0 {
		selected = []string{d.Environment}
	}
	switch {
	case len(c.Environments) > 0 && !slices.Equal(slices.Sorted(slices.Values(c.Environments)), slices.Sorted(slices.Values(selected))):
		return nil, exit.Usage("the saved plan is for %s; --env %s needs another one", d.EnvironmentText(), strings.Join(c.Environments, ","))
	case c.All && !d.All:
		return nil, exit.Usage("the saved plan is for %s; --all needs another one", d.EnvironmentText())
	}
	config := *c
	config.All, config.Environments = d.All, nil
	if d.Selected != "" {
		config.Environments = strings.Split(d.Selected, ",")
	}
	return &Plan{d, name, &config}, nil
}

// read reads a regular file of at most planfile.MaxSize bytes.
func read(file string) ([]byte, error) {
	return rawfile.ReadFile(file, planfile.MaxSize, 0)
}

// Remake makes the plan again from the current state of this machine, without writing
// anything. An error with exit.Stale reports why the result is not the saved plan, or why
// that may not be applied.
func (s *Plan) Remake(ctx context.Context) (*session.Machine, *planner.Plan, error) {
	root, name, err := s.config.Locate()
	if err != nil {
		return nil, nil, err
	}
	if why := s.Mismatch(s.Machine, root, name); why != nil { // before its manifest is read
		return nil, nil, s.refuse("saved.elsewhere", why)
	}
	if err := s.checkInputs(ctx, root); err != nil {
		return nil, nil, err
	}
	m, err := s.observe(ctx)
	if err != nil {
		return nil, nil, err
	}
	selection := planner.Selection{Exclude: s.Selection.Exclude, Replace: s.Selection.Replace, Target: s.Selection.Target}
	plan, err := m.Plan(ctx, selection)
	if err != nil {
		return nil, nil, err
	}
	now, err := document(ctx, m, plan, selection)
	if err != nil {
		return nil, nil, err
	}
	if why := s.Stale(now); why != nil {
		return nil, nil, s.refuse("saved.stale", why)
	}
	return m, plan, nil
}

// observe observes this machine. It refuses a plan that is for another machine or user, and
// one that was applied before.
func (s *Plan) observe(ctx context.Context) (*session.Machine, error) {
	p, err := session.Open(ctx, s.config, "")
	if err != nil {
		return nil, err
	}
	t, err := p.SelectEach()
	if err != nil {
		return nil, err
	}
	m, err := t.Observe(ctx)
	if err != nil {
		return nil, err
	}
	if m.StateErr != nil {
		return nil, m.StateErr
	}
	here, err := machineOf(m)
	if err != nil {
		return nil, err
	}
	if why := s.Mismatch(here, m.Root, m.Name); why != nil {
		return nil, s.refuse("saved.elsewhere", why)
	}
	if b, known := m.Prior.State.AppliedPlan(s.ID()); known {
		return nil, s.refuse("saved.used", []string{"this one was begun at " + b.Time})
	}
	if m.Prior.State.MayHaveDroppedPlan(s.State.Serial) {
		return nil, s.refuse("saved.used", []string{"this one is so old that the state no longer records whether it was begun"})
	}
	return m, nil
}

// checkInputs refuses a plan whose manifest, lock or templates are different now. It
// comes before the manifest is read, which may no longer be one.
func (s *Plan) checkInputs(ctx context.Context, root string) error {
	confined, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer confined.Close()
	why := s.ChangedInputs(func(name string) (facts.SHA256, bool) {
		sum, err := digest(ctx, func() (*os.File, error) { return rawfile.OpenRoot(confined, name, 0) })
		return sum, err == nil
	})
	if why != nil {
		return s.refuse("saved.stale", why)
	}
	return nil
}

func (s *Plan) refuse(code string, why []string) error {
	summary := map[string]string{
		"saved.stale":     "the manifest, the machine or the state changed since the plan was saved; nothing was changed",
		"saved.elsewhere": "the saved plan is for another machine, user or project; nothing was changed",
		"saved.used":      "a saved plan is applied once; nothing was changed",
	}[code]
	return exit.With(exit.Stale, &diag.Problem{
		Code: code, Pos: diag.Pos{File: s.name}, Summary: summary, Found: strings.Join(why, "\n"),
		Hint: "save a new plan: `reconcile plan --out " + resources.ShellQuote(s.name) + "`",
	})
}

// CheckDestination returns the absolute path of the file in which a plan is to be saved. A
// file that exists may be replaced if it is empty or a plan.
func CheckDestination(c *session.Config, name string) (string, error) {
	file, err := c.Path(name)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	if err == nil && info.Mode().IsRegular() {
		if info.Size() == 0 {
			return file, nil
		}
		var text []byte
		if text, err = read(file); err == nil && planfile.IsPlan(text) {
			return file, nil
		}
	}
	p := &diag.Problem{Code: "saved.exists", Pos: diag.Pos{File: name}, Summary: "this file is not a saved plan, so it is not replaced", Hint: "name another file with --out"}
	if err != nil {
		p.Found = err.Error()
	}
	return "", p
}

// Save writes a plan of m to file, an absolute path, which it replaces; name is its name on
// the command line. The file is readable by this user alone.
func Save(ctx context.Context, m *session.Machine, p *planner.Plan, selection planner.Selection, file, name string) error {
	if m.StateErr != nil {
		return m.StateErr // whether the plan was applied could not be recorded
	}
	d, err := document(ctx, m, p, selection)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Dir(file))
	if err == nil {
		err = errors.Join(atomicfile.Write(root, filepath.Base(file), 0o600, d.Encode()), root.Close())
	}
	if err != nil {
		return &diag.Problem{Code: "saved.write", Pos: diag.Pos{File: name}, Summary: "the plan cannot be saved", Found: err.Error(), Hint: "name a place that you may write to with --out"}
	}
	return nil
}

// document returns a plan of m as it is saved and compared.
func document(ctx context.Context, m *session.Machine, p *planner.Plan, selection planner.Selection) (*planfile.Document, error) {
	here, err := machineOf(m)
	if err != nil {
		return nil, err
	}
	c := planfile.PlanInputs{
		All: m.Config.All, Inputs: m.Inputs(m.Envs), Machine: here, Manifest: m.Name, Program: m.Config.Program, Selected: strings.Join(m.Config.Environments, ","),
		Selection: planfile.Selection{Exclude: selection.Exclude, Replace: selection.Replace, Target: selection.Target},
		Identify: func(program string) (facts.SHA256, bool) {
			sum, err := digest(ctx, func() (*os.File, error) { return rawfile.OpenFile(program, 0) })
			return sum, err == nil
		},
	}
	if s := m.Prior.State; s != nil && !s.IsBlank() {
		c.State = planfile.State{Lineage: s.Lineage, Serial: s.Serial}
	}
	return planfile.New(p, m.Facts, c), nil
}

// machineOf returns for which machine and user a plan is.
func machineOf(m *session.Machine) (planfile.Machine, error) {
	local, err := m.Local()
	if err != nil {
		return planfile.Machine{}, err
	}
	here := planfile.Machine{Part: local.State, UID: os.Geteuid(), Host: m.Selection.Host.Hostname}
	if u, err := user.LookupId(strconv.Itoa(here.UID)); err == nil {
		here.User = u.Username
	}
	return here, nil
}

// digest hashes a file.
func digest(ctx context.Context, open func() (*os.File, error)) (facts.SHA256, error) {
	f, err := open()
	if err != nil {
		return facts.SHA256{}, err
	}
	defer f.Close()
	return rawfile.SHA256(ctx, f)
}
