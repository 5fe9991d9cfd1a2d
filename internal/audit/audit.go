// Package audit finds known vulnerabilities, withdrawn releases and ends of life of the locked
// packages of environments.
//
//  1. Open reads the locks.
//  2. The releases of each package are read from its index: which are withdrawn, and whether the
//     index lists the locked one.
//  3. The packages are compared with an OSV database on this machine, or those that are public are
//     sent to a server, by name and version.
//  4. Findings that the manifest accepts do not count.
package audit

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/osv"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// Options state how an audit is made.
type Options struct {
	Database string   // path of an OSV database; "" for the server
	Offline  bool     // use no network
	Ignore   []string // ids of findings that are accepted, besides those of the manifest
	Licenses bool     // also the licences of all packages
	// Again returns a command line that starts this program on the same project.
	Again func(args ...string) string
}

// Select returns the environments to audit: all of the manifest that have a lock, or those that the
// command line names, else the only one, else that of this machine.
func Select(p *session.Project, all bool) (envs []*manifest.Environment, err error) {
	switch {
	case all && len(p.Config.Environments) > 0:
		return nil, exit.Usage("--all and --env contradict each other")
	case all:
		for _, env := range p.Manifest.Environments {
			if env.Lock != "" {
				envs = append(envs, env)
			}
		}
	case len(p.Config.Environments) > 0 || len(p.Manifest.Environments) != 1:
		t, err := p.SelectEach()
		if err != nil {
			return nil, err
		}
		envs = t.Envs
	default:
		envs = p.Manifest.Environments
	}
	if len(envs) == 0 {
		return nil, &diag.Problem{
			Code: "audit.environment", Pos: diag.Pos{File: p.Name}, Summary: "the manifest has no environment with a lock",
			Hint: "`reconcile add NAME` adds a package and locks it",
		}
	}
	return envs, nil
}

// Run audits environments of a project.
func Run(ctx context.Context, p *session.Project, envs []*manifest.Environment, o Options) (*report.Audit, error) {
	if o.Offline && o.Database == "" {
		return nil, &diag.Problem{
			Code: "audit.offline", Summary: "known vulnerabilities are not on this machine, and --offline uses no network",
			Hint: "name a database: `" + o.Again("audit", "--offline", "--database", "all.zip") + "`; " + getDatabase,
		}
	}
	a := &auditor{Options: o, project: p, now: p.Config.Time().UTC()}
	for _, env := range envs {
		subject, err := a.open(env)
		if err != nil {
			return nil, err
		}
		a.subjects = append(a.subjects, subject)
	}
	var err error
	if a.source, err = p.IndexSource(); err != nil {
		return nil, err
	}
	if !o.Offline {
		if err := a.readIndexes(ctx); err != nil {
			return nil, err
		}
	}
	doc := &report.Audit{Version: report.Version, Time: a.now.Truncate(time.Second), Environments: []report.AuditEnvironment{}}
	if o.Database != "" {
		a.found, doc.Newest, err = a.searchDatabase()
		doc.Source = o.Database
	} else {
		a.found, doc.Source, err = a.searchServer(ctx)
	}
	if err != nil {
		return nil, err
	}
	for _, s := range a.subjects {
		doc.Environments = append(doc.Environments, a.environment(s))
	}
	doc.Notes = append([]string{}, a.notes()...)
	if o.Licenses {
		if err := a.addLicenses(ctx, doc); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

const getDatabase = "OSV publishes it as https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"

// An auditor is one audit.
type auditor struct {
	Options
	project  *session.Project
	source   *simpleindex.Source
	now      time.Time
	subjects []*subject
	found    map[release][]osv.Record
	used     map[string]bool // ids of accepted findings
}

// open reads the lock of an environment.
func (a *auditor) open(env *manifest.Environment) (*subject, error) {
	if env.Lock == "" {
		return nil, &diag.Problem{
			Code: "audit.environment", Pos: env.Pos, Summary: fmt.Sprintf("environment %s has no lock", env.Name),
			Hint: fmt.Sprintf("add `lock: locks/pylock.%s.toml`, then run `%s`", env.Name, a.Again("lock")),
		}
	}
	locked, problem, err := a.project.Manifest.Locked(env)
	if err != nil {
		return nil, err
	}
	if locked == nil {
		return nil, problem
	}
	s := &subject{env: env, locked: locked, stale: problem, requests: map[string]lock.Requirement{}}
	for _, p := range locked.Packages {
		one := &pkg{Package: p, secret: a.secret(env, p)}
		if p.Platforms != nil && len(p.Platforms) < len(locked.Platforms) {
			one.platforms = p.Platforms
		}
		s.packages = append(s.packages, one)
	}
	slices.SortFunc(s.packages, func(x, y *pkg) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), pep.CompareVersions(x.Version, y.Version))
	})
	s.readRequests()
	s.findParents()
	return s, nil
}

// environment returns the result for an environment.
func (a *auditor) environment(s *subject) report.AuditEnvironment {
	e := report.AuditEnvironment{Name: s.env.Name, Lock: s.env.Lock, Python: s.env.Python, Findings: []report.AuditFinding{}, Unchecked: []report.AuditUnchecked{}}
	for _, p := range s.packages {
		if reason := a.unchecked(p); reason != "" {
			e.Unchecked = append(e.Unchecked, report.AuditUnchecked{Package: p.Name, Version: p.Version, Reason: reason})
		} else {
			e.Packages++
		}
		e.Findings = append(e.Findings, a.findings(s, p)...)
	}
	if s.locked.Conda != nil {
		for i := range s.locked.Conda.Packages {
			c := &s.locked.Conda.Packages[i]
			e.Unchecked = append(e.Unchecked, report.AuditUnchecked{Package: c.Name, Version: c.Version, Reason: "of conda, for which OSV has no records"})
		}
	}
	e.Findings = append(a.ends(s), e.Findings...)
	for i := range e.Findings {
		a.accept(&e.Findings[i])
	}
	return e
}

// unchecked returns why a package was not compared with the database, "" if it was.
func (a *auditor) unchecked(p *pkg) string {
	switch {
	case !pep.ValidVersion(p.Version):
		return "whose version cannot be compared"
	case a.Database == "":
		return p.secret
	}
	return ""
}

// findings returns the findings about a package.
func (a *auditor) findings(s *subject, p *pkg) (list []report.AuditFinding) {
	base := report.AuditFinding{Package: p.Name, Version: p.Version, Index: p.Index, Via: s.via(p.Name), Platforms: p.platforms}
	if r, ok := s.requests[p.Name]; ok {
		base.Requested, base.Position = true, r.Pos
	}
	flaws := osv.Merge(a.found[p.release()], p.Name)
	if fix := a.fix(flaws, p.Version); fix != "" {
		base.Remedy = a.upgrade(s, p.Name) + ", to " + fix + " or later"
	} else if p.yanked {
		base.Remedy = a.upgrade(s, p.Name)
	}
	if p.yanked {
		f := base
		f.Kind, f.ID, f.Summary = report.Yanked, "yanked-"+p.Name+"-"+p.Version, "the release was withdrawn by its authors"
		if p.reason != "" {
			f.Summary += ": " + p.reason
		}
		list = append(list, f)
	}
	for _, v := range flaws {
		f := base
		f.Kind, f.ID, f.Aliases, f.Summary, f.Severity = report.Vulnerability, v.ID, v.IDs[1:], v.Summary, v.Severity.String()
		f.URL, f.LastAffected = "https://osv.dev/vulnerability/"+v.ID, v.LastAffected
		for _, fixed := range v.Fixes {
			if pep.CompareVersions(fixed, p.release().version) > 0 {
				f.FixedIn = append(f.FixedIn, fixed)
			}
		}
		list = append(list, f)
	}
	return list
}

// fix returns the lowest version without the flaws that are not accepted, "" if none is known.
func (a *auditor) fix(flaws []osv.Vulnerability, locked string) string {
	return osv.SmallestFix(slices.DeleteFunc(slices.Clone(flaws), func(v osv.Vulnerability) bool {
		_, accepted := a.project.Manifest.Audit.Accepts(a.now, v.IDs...)
		return accepted || slices.ContainsFunc(a.Ignore, func(id string) bool { return slices.Contains(v.IDs, id) })
	}), locked)
}

// upgrade returns the command that moves a package to a newer version, together with the pins that
// would hold it back.
func (a *auditor) upgrade(s *subject, name string) string {
	if s.env.IsForeign() {
		return report.ForeignLock(s.env, "upgrade", []string{name}).Hint
	}
	if r, ok := s.requests[name]; ok && r.URL != "" {
		return fmt.Sprintf("change the source of %s in %s, then `%s`", name, r.Pos, a.Again("lock", "--env", s.env.Name))
	}
	if r, ok := s.requests[name]; ok && r.Pin() != "" && r.Pos.File != "" && r.Pos.File != a.project.Name {
		return fmt.Sprintf("change the version in %s, then `%s`", r.Pos, a.Again("lock", "--env", s.env.Name))
	}
	return "`" + a.Again(append([]string{"upgrade", "--env", s.env.Name, name}, s.pinned(name)...)...) + "`"
}

// ends returns the ends of life: of Python, of the builds of PyTorch for a CUDA version, and of
// conda channels.
func (a *auditor) ends(s *subject) (list []report.AuditFinding) {
	add := func(kind report.AuditKind, id, text, remedy string, end catalog.End) {
		list = append(list, report.AuditFinding{Kind: kind, ID: id, Summary: text, End: end.Month.Format("2006-01"), Remedy: remedy})
	}
	end, ok := catalog.PythonEnd(s.env.Python)
	if text := end.Text("Python "+s.env.Python, a.now); ok && text != "" {
		kind := report.EndOfLife
		if end.IsSoon(a.now) {
			kind = report.EndsSoon
		}
		remedy := fmt.Sprintf("set a later `python` for environment %s, then `%s`", s.env.Name, a.Again("lock", "--env", s.env.Name))
		add(kind, session.PythonEndID(s.env.Python), text, remedy, end)
	}
	if cuda, torch := s.cuda(); cuda != "" {
		if end, ok := catalog.CUDAEnd(cuda); ok && end.IsPast(a.now) {
			add(report.LastBuilds, "eol-cuda-"+cuda, fmt.Sprintf("torch %s is built for CUDA %s, for which PyTorch has no builds after torch %s (%s)", torch, cuda, end.Torch, end), a.laterCUDA(s, cuda), end)
		}
	}
	if s.env.Conda != nil {
		for _, channel := range s.env.Conda.Channels {
			if end, ok := catalog.ChannelEnd(channel); ok && end.IsPast(a.now) {
				name := path.Base(channel)
				add(report.EndOfLife, "eol-channel-"+name, fmt.Sprintf("the conda channel %s ended with PyTorch %s (%s)", name, end.Torch, end), "use conda-forge, or wheels in `packages`", end)
			}
		}
	}
	return list
}

// laterCUDA returns how an environment gets builds for the next CUDA major version.
func (a *auditor) laterCUDA(s *subject, major string) string {
	n, err := strconv.Atoi(major)
	driver := catalog.MajorDriver(strconv.Itoa(n + 1))
	if err != nil || driver == "" {
		return a.upgrade(s, "torch")
	}
	return fmt.Sprintf("%s; builds for CUDA %d need driver %s or later", a.upgrade(s, "torch"), n+1, driver)
}

// accept marks a finding as accepted if the manifest or the command line accepts it.
func (a *auditor) accept(f *report.AuditFinding) {
	ids := append([]string{f.ID}, f.Aliases...)
	if a.used == nil {
		a.used = map[string]bool{}
	}
	for _, id := range ids {
		a.used[id] = true
	}
	if one, ok := a.project.Manifest.Audit.Accepts(a.now, ids...); ok {
		f.Accepted = &report.AuditAcceptance{Why: one.Why}
		if !one.Until.IsZero() {
			f.Accepted.Until = one.Until.Format(time.DateOnly)
		}
		return
	}
	for _, id := range a.Ignore {
		if slices.Contains(ids, id) {
			f.Accepted = &report.AuditAcceptance{Why: "--ignore " + id}
		}
	}
}

// notes returns notes about the whole audit.
func (a *auditor) notes() (notes []string) {
	for _, s := range a.subjects {
		if s.stale != nil {
			notes = append(notes, fmt.Sprintf("environment %s: %s; the locked packages were audited", s.env.Name, s.stale.Summary))
		}
	}
	if a.Offline {
		notes = append(notes, "withdrawn releases were not checked: --offline uses no network")
	}
	for _, one := range a.project.Manifest.Audit.Ignore {
		switch {
		case !a.used[one.ID]:
			notes = append(notes, fmt.Sprintf("%s: no audited environment has the finding %s", one.Pos, one.ID))
		case one.IsExpired(a.now):
			notes = append(notes, fmt.Sprintf("%s: %s was accepted until %s, and counts again", one.Pos, one.ID, one.Until.Format(time.DateOnly)))
		}
	}
	for _, id := range a.Ignore {
		if !a.used[id] {
			notes = append(notes, fmt.Sprintf("--ignore %s: no audited environment has this finding", id))
		}
	}
	return notes
}

// Results returns what is recorded in the store. --ignore has no effect on it.
func Results(p *session.Project, doc *report.Audit) (list []session.Audited) {
	for i := range doc.Environments {
		e := &doc.Environments[i]
		at := slices.IndexFunc(p.Manifest.Environments, func(env *manifest.Environment) bool { return env.Name == e.Name })
		locked, _, err := p.Manifest.Locked(p.Manifest.Environments[at])
		if err != nil || locked == nil {
			continue // it was changed meanwhile
		}
		r := session.Audited{Environment: e.Name, Packages: session.PackagesDigest(locked), Time: doc.Time, Unchecked: len(e.Unchecked)}
		for k := range e.Findings {
			f := &e.Findings[k]
			if _, accepted := p.Manifest.Audit.Accepts(doc.Time, append([]string{f.ID}, f.Aliases...)...); accepted {
				continue
			}
			switch f.Kind {
			case report.Vulnerability:
				r.Vulnerabilities++
			case report.Yanked:
				r.Yanked++
			}
		}
		list = append(list, r)
	}
	return list
}
