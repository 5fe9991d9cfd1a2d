// Package editing changes the packages of an environment in the manifest, and keeps its
// comments and its layout.
//
//  1. Open chooses the environment.
//  2. Add, Remove and Upgrade make a Draft: the environment as it is to be locked.
//  3. The caller resolves it.
//  4. SettleAndWrite takes the versions of the lock where none are given, and writes the new
//     text. Until then nothing is changed.
package editing

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/nearest"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/yamledit"
)

// An Environment is the environment whose packages are changed.
type Environment struct {
	*manifest.Environment
	project *session.Checkout
	text    []byte     // of the manifest
	locked  *lock.Lock // nil for none
}

// Open returns the environment that the command line names, else the only one of the
// manifest, else the one that matches this machine.
func Open(p *session.Project) (*Environment, error) {
	env, err := p.Only()
	if err != nil {
		return nil, err
	}
	e := &Environment{Environment: env, project: p.Checkout}
	if env == nil {
		return nil, &diag.Problem{
			Code: "edit.environment", Pos: diag.Pos{File: p.Name}, Summary: "the manifest has no environment", Hint: "`reconcile init --scan` in an empty folder shows one",
		}
	}
	if e.text, err = e.read(); err != nil {
		return nil, err
	}
	e.locked, _, err = p.Manifest.Locked(e.Environment) // without a lock all versions are new
	return e, err
}

// files returns the requirements of the files that stay the source.
func (e *Environment) files() []lock.Requirement {
	return e.Sources().Packages[len(e.Packages):]
}

// declaredIn returns the first requirement of a package in the files that stay the source.
func (e *Environment) declaredIn(name string) (lock.Requirement, bool) {
	files := e.files()
	i := slices.IndexFunc(files, func(r lock.Requirement) bool { return pep.Normalize(r.Name) == pep.Normalize(name) })
	if i < 0 {
		return lock.Requirement{}, false
	}
	return files[i], true
}

// fromFile returns the problem that a package must be changed in another file.
func (e *Environment) fromFile(r lock.Requirement) *diag.Problem {
	return &diag.Problem{
		Code: "edit.file", Pos: r.Pos, Summary: fmt.Sprintf("%s is requested by a file that stays the source", r.Name),
		Found: r.String(), Hint: "change it there, then run `reconcile lock`",
	}
}

// checkLock returns a problem if another tool writes the lock. verb is add, remove or upgrade.
func (e *Environment) checkLock(verb string, packages []string) error {
	if !e.IsForeign() {
		return nil
	}
	return report.ForeignLock(e.Environment, verb, packages)
}

// read reads the manifest, which must be the one that was loaded.
func (e *Environment) read() ([]byte, error) {
	text, err := rawfile.ReadFS(e.project.FS(), e.project.Name, manifest.MaxSize)
	if err != nil {
		return nil, err
	}
	m, err := manifest.LoadText(e.project.FS(), e.project.Name, text)
	if err != nil {
		return nil, err
	}
	if m.SHA256 != e.project.Manifest.SHA256 {
		return nil, e.changed()
	}
	return text, nil
}

func (e *Environment) changed() error {
	return &diag.Problem{
		Code: "edit.changed", Pos: diag.Pos{File: e.project.Name},
		Summary: "the manifest was changed by another program meanwhile, and is not written", Hint: "run the command again",
	}
}

// A Draft is a change of the packages of an environment that is not written yet.
type Draft struct {
	Env        *manifest.Environment // as it is to be locked
	Upgrade    []string              // names of packages whose locked versions are not kept
	Everything bool                  // no locked version is kept
	Changes    []Change              // of the manifest; set by SettleAndWrite
	Notes      []string

	of    *Environment
	ops   []op
	build []string // names to add to the packages that may be built
	after []byte   // the new text
}

// A Change is a change of one requested package in the manifest.
type Change struct {
	Name   string   `json:"name"`
	Before string   `json:"before,omitempty"` // "numpy==1.26.4"; "" if it is added
	After  string   `json:"after,omitempty"`  // "" if it is removed
	Index  string   `json:"index,omitempty"`  // that the package comes from afterwards, "" if that does not change
	Why    string   `json:"why,omitempty"`    // the reason that the manifest gives for the previous version
	Pos    diag.Pos `json:"pos,omitzero"`     // before the change
}

// An op is a change of one item of the list of packages.
type op struct {
	at      int // index of the item, -1 to add one
	removed bool
	request lock.Requirement // afterwards
	pin     bool             // the locked version becomes the only one that is allowed
	open    bool             // the locked version becomes the lower bound
}

// draft returns a Draft without changes.
func (e *Environment) draft() *Draft {
	return &Draft{Env: e.Environment, of: e}
}

// Unresolved prepares the Draft for being written without a lock: versions that a lock would
// decide are left out. It is an error if the environment needs them.
func (d *Draft) Unresolved() error {
	var problems diag.List
	for i, o := range d.ops {
		if o.pin {
			problems.Add(&diag.Problem{
				Code: "edit.version", Pos: d.of.Pos, Summary: fmt.Sprintf("%s needs an exact version, and nothing is resolved", o.request.Name),
				Hint: fmt.Sprintf("give one: %q", o.request.Name+"==VERSION"),
			})
		}
		d.ops[i].open = false
	}
	return problems.Err()
}

// update sets the packages that are to be locked.
func (d *Draft) update() {
	list := slices.Clone(d.of.Packages)
	var removed []int
	for _, o := range d.ops {
		switch {
		case o.removed:
			removed = append(removed, o.at)
		case o.at >= 0:
			list[o.at] = o.request
		default:
			list = append(list, o.request)
		}
	}
	slices.Sort(removed)
	for _, i := range slices.Backward(removed) {
		list = slices.Delete(list, i, i+1)
	}
	d.Env = d.of.WithPackages(list)
	d.Env.Build = slices.Clone(d.of.Build)
	for _, name := range d.build {
		d.Env.Build = append(d.Env.Build, manifest.Build{Name: name, Pos: d.of.Pos})
	}
}

// IsEmpty reports whether there is nothing to do.
func (d *Draft) IsEmpty() bool {
	return len(d.ops) == 0 && len(d.build) == 0 && len(d.Upgrade) == 0 && !d.Everything
}

// SettleAndWrite takes the versions of l where the Draft leaves them open, changes the requests
// of l accordingly, and writes the manifest if its text changes and is still the one that was
// read. l is nil if nothing was resolved.
func (d *Draft) SettleAndWrite(l *lock.Lock) error {
	if err := d.settle(l); err != nil {
		return err
	}
	if err := d.edit(); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	return d.write(d.of.text, d.after)
}

// settle takes the versions of l.
func (d *Draft) settle(l *lock.Lock) error {
	var ops []op
	for _, o := range d.ops {
		if o.pin || o.open {
			version, err := d.version(l, o)
			if err != nil {
				return err
			}
			o.request.Specifier = version
		}
		if o.at >= 0 && !o.removed && o.request.Request() == d.of.Packages[o.at].Request() && o.request.Index == d.of.Packages[o.at].Index {
			continue // it has this version already
		}
		ops = append(ops, o)
	}
	d.ops = ops
	d.update()
	if l != nil {
		l.Requests = d.Env.Requests()
	}
	d.Changes = nil
	for _, o := range ops {
		d.Changes = append(d.Changes, d.change(o))
	}
	return nil
}

// version returns the specifier for the locked version of a package.
func (d *Draft) version(l *lock.Lock, o op) (string, error) {
	var versions []string
	if l != nil {
		for _, p := range l.Packages {
			if p.Name == pep.Normalize(o.request.Name) && slices.ContainsFunc(d.of.platforms(p), func(platform string) bool { return d.of.applies(o.request, platform) }) {
				versions = append(versions, p.Version)
			}
		}
	}
	slices.SortFunc(versions, pep.CompareVersions)
	if len(versions) == 0 {
		return "", &diag.Problem{
			Code: "edit.version", Pos: d.of.Pos, Summary: fmt.Sprintf("no platform of environment %s installs %s", d.Env.Name, o.request.Name),
			Hint: "check its marker, or give a version",
		}
	}
	public, _, _ := strings.Cut(versions[0], "+")
	if !o.pin {
		return ">=" + public, nil
	}
	if len(versions) == 1 {
		return "==" + versions[0], nil
	}
	for _, v := range versions {
		if v, _, _ := strings.Cut(v, "+"); v != public {
			return "", &diag.Problem{
				Code: "edit.version", Pos: d.of.Pos, Summary: fmt.Sprintf("the platforms of environment %s need different versions of %s: %s", d.Env.Name, o.request.Name, strings.Join(versions, ", ")),
				Hint: "write one item for each platform, with `platforms`",
			}
		}
	}
	return "==" + public, nil
}

// change describes an op.
func (d *Draft) change(o op) Change {
	c := Change{Name: o.request.Name}
	if o.at >= 0 {
		before := d.of.Packages[o.at]
		c.Name, c.Before, c.Pos, c.Why = before.Name, before.String(), before.Pos, before.Why
	}
	if !o.removed {
		c.After = o.request.String()
	}
	if o.at >= 0 && o.request.Index != d.of.Packages[o.at].Index {
		c.Index = o.request.Index
	}
	return c
}

// edit makes the new text.
func (d *Draft) edit() error {
	text := d.of.text
	var err error
	step := func(change func(t *yamledit.Text) ([]byte, error)) {
		if err != nil {
			return
		}
		var t *yamledit.Text
		if t, err = yamledit.Parse(text); err == nil {
			var after []byte
			if after, err = change(t); err == nil {
				text = after
			}
		}
	}
	for _, o := range d.ops {
		if o.at >= 0 && !o.removed {
			step(func(t *yamledit.Text) ([]byte, error) { return d.setItem(t, o) })
		}
	}
	names := d.names()
	sorted := isSorted(names)
	var removed []int
	for _, o := range d.ops {
		if o.removed {
			removed = append(removed, o.at)
		}
	}
	slices.Sort(removed)
	for _, i := range slices.Backward(removed) {
		step(func(t *yamledit.Text) ([]byte, error) {
			list, _ := t.Get("environments", d.Env.Name, "packages")
			return t.Remove(list, i)
		})
		names = slices.Delete(names, i, i+1)
	}
	for _, o := range d.ops {
		if o.at < 0 {
			i := len(names)
			if sorted {
				i, _ = slices.BinarySearch(names, pep.Normalize(o.request.Name))
			}
			step(func(t *yamledit.Text) ([]byte, error) { return d.insert(t, "packages", i, item(o.request)) })
			names = slices.Insert(names, i, pep.Normalize(o.request.Name))
		}
	}
	for _, name := range d.build {
		step(func(t *yamledit.Text) ([]byte, error) {
			list, _ := t.Get("environments", d.Env.Name, "build")
			return d.insert(t, "build", len(list.Items()), yamledit.Item{Scalar: name, Fields: []yamledit.Field{{Key: "name", Value: name}}})
		})
	}
	if err != nil {
		return &diag.Problem{
			Code: "edit.form", Pos: diag.Pos{File: d.of.project.Name}, Summary: "the manifest cannot be edited by a command", Found: err.Error(),
			Hint: "edit the packages of environment " + d.Env.Name + " by hand, then `reconcile lock`",
		}
	}
	d.after = text
	return nil
}

// check compares the packages of the new text with the intended ones.
func (d *Draft) check() error {
	m, err := manifest.LoadText(d.of.project.FS(), d.of.project.Name, d.after)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(m.Environments, func(e *manifest.Environment) bool { return e.Name == d.Env.Name })
	if i < 0 || !slices.Equal(forms(m.Environments[i].Packages), forms(d.Env.Packages)) {
		return &diag.Problem{
			Code: "edit.form", Pos: diag.Pos{File: d.of.project.Name}, Summary: "the manifest cannot be edited by a command", Found: "other packages would change",
			Hint: "edit the packages of environment " + d.Env.Name + " by hand, then `reconcile lock`",
		}
	}
	return nil
}

// forms returns everything that the manifest tells about packages, sorted.
func forms(list []lock.Requirement) []string {
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = fmt.Sprintf("%s %q %q", r.Request(), r.Index, r.Why)
	}
	slices.Sort(texts)
	return texts
}

// names returns the normalised names of the packages.
func (d *Draft) names() []string {
	names := make([]string, len(d.of.Packages))
	for i, p := range d.of.Packages {
		names[i] = pep.Normalize(p.Name)
	}
	return names
}

// isSorted reports whether names are sorted, and are enough for that to be on purpose.
func isSorted(names []string) bool { return len(names) > 2 && slices.IsSorted(names) }

// insert inserts an item into a list of the environment, which is created if necessary.
func (d *Draft) insert(t *yamledit.Text, key string, i int, item yamledit.Item) ([]byte, error) {
	if list, ok := t.Get("environments", d.Env.Name, key); ok {
		return t.Insert(list, i, item)
	}
	env, _ := t.Get("environments", d.Env.Name)
	return t.AddList(env, key, []string{"type", "python", "path", "name", "requirements", "lock", "platforms", "channels", "conda_packages", "packages"}, item)
}

// item returns a requirement in the forms that can hold it.
func item(r lock.Requirement) yamledit.Item {
	var item yamledit.Item
	if r.Index == "" && r.Why == "" {
		item.Scalar = r.String()
	}
	if r.Marker != "" {
		return item
	}
	add := func(key, value string) {
		if value != "" {
			item.Fields = append(item.Fields, yamledit.Field{Key: key, Value: value})
		}
	}
	add("name", r.Name)
	add("version", cmp.Or(r.Pin(), r.Specifier))
	add("url", r.URL)
	if len(r.Extras) > 0 {
		item.Fields = append(item.Fields, yamledit.Field{Key: "extras", List: r.Extras})
	}
	add("index", r.Index)
	add("why", r.Why)
	return item
}

// setItem changes the versions and the index of an item.
func (d *Draft) setItem(t *yamledit.Text, o op) ([]byte, error) {
	list, _ := t.Get("environments", d.Env.Name, "packages")
	v := list.Items()[o.at]
	before := d.of.Packages[o.at]
	if o.request.Index != before.Index {
		return t.Replace(list, o.at, item(o.request))
	}
	if text, ok := v.Scalar(); ok {
		if after := strings.Replace(text, before.Specifier, o.request.Specifier, 1); before.Specifier != "" && strings.Count(text, before.Specifier) == 1 {
			return t.SetScalar(v, after)
		}
		return t.SetScalar(v, o.request.String())
	}
	version, ok := v.Get("version")
	if !ok {
		return nil, fmt.Errorf("%s: the item has no version", before.Pos)
	}
	return t.SetScalar(version, cmp.Or(o.request.Pin(), o.request.Specifier))
}

// Restore undoes SettleAndWrite.
func (d *Draft) Restore() error { return d.write(d.after, d.of.text) }

// write replaces the text of the manifest.
func (d *Draft) write(from, to []byte) error {
	if bytes.Equal(from, to) {
		return nil
	}
	root, err := os.OpenRoot(d.of.project.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	now, err := rawfile.ReadRoot(root, d.of.project.Name, manifest.MaxSize, 0)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, from) {
		return d.of.changed()
	}
	info, err := root.Lstat(d.of.project.Name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &diag.Problem{
			Code: "edit.form", Pos: diag.Pos{File: d.of.project.Name}, Summary: "the manifest is a link, which writing would replace", Hint: "run the command in the folder of the file itself",
		}
	}
	return atomicfile.Write(root, filepath.ToSlash(d.of.project.Name), info.Mode().Perm(), to)
}

// find returns the indices of a package in the list of the manifest.
func (e *Environment) find(name string) (list []int) {
	for i, p := range e.Packages {
		if pep.Normalize(p.Name) == pep.Normalize(name) {
			list = append(list, i)
		}
	}
	return list
}

// platforms returns the platforms that install a locked package.
func (e *Environment) platforms(p lock.Package) []string {
	if p.Platforms != nil {
		return p.Platforms
	}
	return e.Platforms
}

// applies reports whether the marker of a request may hold on a platform.
func (e *Environment) applies(r lock.Requirement, platform string) bool {
	if r.Marker == "" {
		return true
	}
	holds, ok := lock.MarkerEnvironment(platform, e.Python).Holds(r.Marker)
	return holds || !ok
}

// absent returns the problem that the manifest does not request a package.
func (e *Environment) absent(name string) *diag.Problem {
	if r, ok := e.declaredIn(name); ok {
		return e.fromFile(r)
	}
	p := &diag.Problem{Code: "edit.absent", Pos: e.Pos, Summary: fmt.Sprintf("environment %s does not request %s", e.Name, name)}
	if e.locked != nil {
		if by := dependents(e.locked, pep.Normalize(name)); len(by) > 0 {
			p.Found = "it is locked, because " + strings.Join(by, ", ") + " " + needs(by) + " it"
			return p
		}
		if slices.ContainsFunc(e.locked.Packages, func(l lock.Package) bool { return l.Name == pep.Normalize(name) }) {
			p.Found = "it is locked, because another package needs it"
			return p
		}
	}
	var names []string
	for _, r := range e.Packages {
		names = append(names, r.Name)
	}
	if near := nearest.Word(name, names); near != "" {
		p.Hint = fmt.Sprintf("did you mean %q?", near)
	}
	return p
}

func needs(by []string) string {
	if len(by) == 1 {
		return "needs"
	}
	return "need"
}

// dependents returns the names of the locked packages that depend on one.
func dependents(l *lock.Lock, name string) (list []string) {
	for _, p := range l.Packages {
		if slices.Contains(p.Dependencies, name) && !slices.Contains(list, p.Name) {
			list = append(list, p.Name)
		}
	}
	return list
}
