package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/planfile"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// document takes a plan of this machine down as it is saved and compared.
func (a *app) document(m *machine, p *planner.Plan) (*planfile.Document, error) {
	here, err := m.machineID()
	if err != nil {
		return nil, err
	}
	c := planfile.PlanInputs{
		Inputs: m.inputDigests(), Machine: here, Manifest: m.name, Program: buildVersion(), Selected: a.env,
		Selection: planfile.Selection{Exclude: m.before.Selection.Exclude, Replace: m.before.Selection.Replace, Target: m.before.Selection.Target},
		Identify:  identify,
	}
	if s := m.before.State; s != nil && !s.IsBlank() {
		c.State = planfile.State{Lineage: s.Lineage, Serial: s.Serial}
	}
	return planfile.New(p, m.facts, c), nil
}

// machineID says which machine this is, and for whom.
func (p *project) machineID() (planfile.Machine, error) {
	here, err := p.here()
	if err != nil {
		return planfile.Machine{}, err
	}
	m := planfile.Machine{Part: here.State, UID: os.Geteuid()}
	if host, ok := facts.Find[facts.Host](p.base, facts.HostKey); ok {
		m.Host = host.Hostname
	}
	if u, err := user.LookupId(strconv.Itoa(m.UID)); err == nil {
		m.User = u.Username
	}
	return m, nil
}

// inputDigests are the files that decide the plan of this machine. The locks of other
// environments were read to check the manifest, and decide nothing here.
func (m *machine) inputDigests() map[string]facts.SHA256 {
	read := m.inputs.Digests()
	for _, e := range m.manifest.Environments {
		if m.env == nil || e.Lock != m.env.Lock {
			delete(read, e.Lock)
		}
	}
	return read
}

// identify hashes a program, or reports that it is not there.
func identify(program string) (facts.SHA256, bool) {
	dir, base := filepath.Split(program)
	sum, err := fileDigest(os.DirFS(dir), base)
	return sum, err == nil
}

// fileDigest hashes a regular file; a link is followed.
func fileDigest(fsys fs.FS, name string) (facts.SHA256, error) {
	info, err := fs.Stat(fsys, name) // opening a pipe would wait for a writer
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return facts.SHA256{}, err
	}
	f, err := fsys.Open(name)
	if err != nil {
		return facts.SHA256{}, err
	}
	defer f.Close() // read only: nothing is lost where closing fails
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return facts.SHA256(sum.Sum(nil)), err
}

// outPlace returns the absolute path of a plan that is to be saved, if nothing else
// stands there: an empty file or another plan may be replaced. Without a name there is
// nothing to save; the machine of recorded facts is not this one.
func (a *app) outPlace(name, recorded string) (string, error) {
	if name == "" {
		return "", nil
	}
	if recorded != "" {
		return "", usage("a plan for the machine of --facts cannot be applied here, so --out does not save it")
	}
	file, err := a.path(name)
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
		if text, err = readPlan(file); err == nil && planfile.IsPlan(text) {
			return file, nil
		}
	}
	p := &diag.Problem{Code: "saved.exists", Pos: diag.Pos{File: name}, Summary: "this is no saved plan, so it is not replaced by one", Hint: "name another file with --out"}
	if err != nil {
		p.Found = err.Error()
	}
	return "", p
}

// readPlan reads at most as much as a plan can have.
func readPlan(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > planfile.MaxSize:
		return nil, fmt.Errorf("%d bytes are too many for a plan", info.Size())
	}
	return os.ReadFile(file)
}

// savePlan writes a plan that was shown to a file, and says how to apply it. A plan
// that is blocked could never be applied as it is, so it is not written.
func (a *app) savePlan(m *machine, p *planner.Plan, name, file string) error {
	if p.Totals().Blocked > 0 {
		fmt.Fprintln(a.err)
		return say(a.err, "The plan is not saved: what is blocked has to be put right first.")
	}
	if m.blind != nil {
		return m.blind // nothing could say later whether it was applied
	}
	d, err := a.document(m, p)
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
	if a.quiet {
		return nil
	}
	fmt.Fprintln(a.err)
	return say(a.err, "Saved the plan in %s. To do just that: reconcile apply %s", name, resources.ShellQuote(name))
}

// A savedPlan is a plan that was saved, on its way to be applied.
type savedPlan struct {
	*planfile.Document
	name string // of the file, as the command line names it
}

// applySaved carries out a saved plan, or refuses before the first change:
//
//  1. The file is looked at, then what it was made from. Nothing is written before both
//     fit, so that a plan that is refused leaves no trace.
//  2. The plan is made anew, shown, and compared.
//  3. Under the lock all of that is done once more, and the plan that is carried out is
//     the one that was made then. Its id is written down before the first change.
func (a *app) applySaved(ctx context.Context, name string, o applyFlags) error {
	s, err := a.readSaved(name)
	if err != nil {
		return err
	}
	if a.env != "" && a.env != s.Environment {
		return usage("the saved plan is for %s; --env %s needs another one", cmp.Or(s.Environment, "no environment"), a.env)
	}
	a.env = s.Selected
	m, plan, err := a.renew(ctx, s)
	if err != nil {
		return err
	}
	o.yes = true // whoever saved the plan has seen it
	o.again = func(ctx context.Context, w *work) (*machine, *planner.Plan, error) {
		m, plan, err := a.renew(ctx, s)
		if ctx.Err() != nil { // what it could not look at any more is no reason
			return nil, nil, exit(exitInterrupted)
		}
		if err == nil {
			err = w.journal.BeginPlan(s.ID())
		}
		return m, plan, err
	}
	return a.confirm(ctx, m, plan, o)
}

func (a *app) readSaved(name string) (*savedPlan, error) {
	file, err := a.path(name)
	if err != nil {
		return nil, err
	}
	text, err := readPlan(file)
	if err != nil {
		return nil, &diag.Problem{Code: "saved.unreadable", Pos: diag.Pos{File: name}, Summary: "the saved plan cannot be read", Found: err.Error(), Hint: "save one with `reconcile plan --out FILE`"}
	}
	d, err := planfile.Decode(text)
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		p.Pos.File = name
		return nil, &exitCode{exitStale, p}
	}
	return &savedPlan{d, name}, err
}

// renew makes a saved plan again from what is there now. The error says why it must
// not be carried out, if it must not.
func (a *app) renew(ctx context.Context, s *savedPlan) (*machine, *planner.Plan, error) {
	p, err := a.find()
	if err != nil {
		return nil, nil, err
	}
	if why := s.Mismatch(s.Machine, p.root, p.name); why != nil { // another project, whatever its manifest is
		return nil, nil, s.refuse("saved.elsewhere", isElsewhere, why)
	}
	if err := s.sameInputs(p.root); err != nil {
		return nil, nil, err
	}
	m, err := a.survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	if m.blind != nil {
		return nil, nil, m.blind
	}
	m.before.Selection = planner.Selection{Exclude: s.Selection.Exclude, Replace: s.Selection.Replace, Target: s.Selection.Target}
	if err := s.fits(m); err != nil {
		return nil, nil, err
	}
	plan, err := m.plan(ctx)
	if err != nil {
		return nil, nil, err
	}
	now, err := a.document(m, plan)
	if err != nil {
		return nil, nil, err
	}
	if why := s.Stale(now); why != nil {
		return nil, nil, s.refuse("saved.stale", isStale, why)
	}
	return m, plan, nil
}

// What a refusal says first.
const (
	isStale     = "what the saved plan was made from has changed; nothing was changed"
	isElsewhere = "the saved plan belongs elsewhere; nothing was changed"
	isUsed      = "a saved plan is applied once; nothing was changed"
)

// sameInputs refuses a plan whose manifest, lock or templates are others. It comes
// before the manifest is read, which may not even be one any more.
func (s *savedPlan) sameInputs(root string) error {
	confined, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer confined.Close()
	why := s.ChangedInputs(func(name string) (facts.SHA256, bool) {
		sum, err := fileDigest(confined.FS(), name)
		return sum, err == nil
	})
	if why != nil {
		return s.refuse("saved.stale", isStale, why)
	}
	return nil
}

// fits refuses a plan that belongs elsewhere or was begun before.
func (s *savedPlan) fits(m *machine) error {
	here, err := m.machineID()
	if err != nil {
		return err
	}
	if why := s.Mismatch(here, m.root, m.name); why != nil {
		return s.refuse("saved.elsewhere", isElsewhere, why)
	}
	if b, known := m.before.State.AppliedPlan(s.ID()); known {
		return s.refuse("saved.used", isUsed, []string{"this one was begun at " + b.Time})
	}
	if m.before.State.MayHaveDroppedPlan(s.State.Serial) {
		return s.refuse("saved.used", isUsed, []string{"this one is so old that nobody remembers whether it was begun"})
	}
	return nil
}

func (s *savedPlan) refuse(code, summary string, why []string) error {
	return &exitCode{exitStale, &diag.Problem{
		Code: code, Pos: diag.Pos{File: s.name}, Summary: summary, Found: strings.Join(why, "\n"),
		Hint: "look at a new plan: reconcile plan --out " + resources.ShellQuote(s.name),
	}}
}
