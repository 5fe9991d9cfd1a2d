package session

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/flock"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// An Audited is the latest result of `reconcile audit` for the locked packages of an environment.
type Audited struct {
	Environment     string       `json:"environment"`
	Packages        facts.SHA256 `json:"packages"` // digest of their names and versions
	Time            time.Time    `json:"time"`
	Vulnerabilities int          `json:"vulnerabilities"` // that are not accepted
	Yanked          int          `json:"yanked"`
	Unchecked       int          `json:"unchecked"` // packages
}

// auditedFile is the text of layout.Audited.
type auditedFile struct {
	Version int       `json:"version"`
	Results []Audited `json:"results"`
}

const (
	maxAudited      = 100       // results that are kept
	maxAuditedBytes = 256 << 10 // of the file
)

// PackagesDigest returns a digest of the names and versions of locked packages: the result of an
// audit is that of a lock for as long as it does not change.
func PackagesDigest(l *lock.Lock) facts.SHA256 {
	lines := make([]string, len(l.Packages))
	for i, p := range l.Packages {
		lines[i] = p.Name + " " + p.Version + " " + p.Index
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, line := range lines {
		_, _ = io.WriteString(h, line+"\n") // it has no error
	}
	return facts.SHA256(h.Sum(nil))
}

// readAudited returns the results of audits, none if they cannot be read.
func readAudited(state string) (f auditedFile) {
	b, err := rawfile.ReadFile(layout.Audited(state), maxAuditedBytes, rawfile.NoFollow)
	if err != nil || json.Unmarshal(b, &f) != nil || f.Version != 1 {
		return auditedFile{Version: 1}
	}
	f.Results = slices.DeleteFunc(f.Results, func(a Audited) bool { return a.Vulnerabilities < 0 || a.Yanked < 0 || a.Unchecked < 0 })
	return f
}

// RecordAudit replaces the results of audits of the environments of list in the store. Several
// processes may do that at once.
func (p *Project) RecordAudit(ctx context.Context, list []Audited) error {
	local, err := p.Prepare()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(local.State)
	if err != nil {
		return err
	}
	defer root.Close()
	dir, err := rawfile.OpenDir(local.State, rawfile.NoFollow)
	if err != nil {
		return err
	}
	defer dir.Close() // which releases the lock
	if _, err := flock.Wait(ctx, dir); err != nil {
		return err
	}
	f := readAudited(local.State)
	f.Results = slices.DeleteFunc(f.Results, func(old Audited) bool {
		return slices.ContainsFunc(list, func(a Audited) bool { return a.Environment == old.Environment })
	})
	f.Results = append(f.Results, list...)
	f.Results = f.Results[max(0, len(f.Results)-maxAudited):]
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(root, layout.Audited(""), 0o600, append(text, '\n'))
}

// LatestAudit returns the result of the latest audit of an environment that is recorded in the state
// directory of a project, and whether it is of the packages that are locked now.
func LatestAudit(state string, m *manifest.Manifest, env *manifest.Environment) (a Audited, found, current bool) {
	results := readAudited(state).Results
	i := slices.IndexFunc(results, func(a Audited) bool { return a.Environment == env.Name })
	if i < 0 {
		return a, false, false
	}
	locked, _, err := m.Locked(env)
	return results[i], true, err == nil && locked != nil && results[i].Packages == PackagesDigest(locked)
}

// Text returns what an audit found, such as "3 known vulnerabilities (audited 2 days ago)"; "" for
// nothing.
func (a Audited) Text(now time.Time) string {
	var parts []string
	if a.Vulnerabilities > 0 {
		parts = append(parts, plural.Count(a.Vulnerabilities, "known vulnerability"))
	}
	if a.Yanked > 0 {
		parts = append(parts, plural.Count(a.Yanked, "withdrawn release"))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + " (audited " + ago(now.Sub(a.Time)) + ")"
}

// ago returns text such as "2 days ago".
func ago(d time.Duration) string {
	switch days := int(d.Hours() / 24); {
	case days >= 1:
		return plural.Count(days, "day") + " ago"
	case d >= time.Hour:
		return plural.Count(int(d.Hours()), "hour") + " ago"
	}
	return "just now"
}

// auditNotes returns what the latest audit of the selected environments found, and the end of life
// of their Python versions. They come from the store and from the catalog.
func (m *Machine) auditNotes() (notes []string) {
	now := m.Config.Time()
	local, err := m.Local()
	for _, env := range m.Envs {
		if m.IsRecorded() || err != nil {
			// the state is on the other machine
		} else if a, _, current := LatestAudit(local.State, m.Manifest, env); current {
			if text := a.Text(now); text != "" {
				notes = append(notes, fmt.Sprintf("environment %s: %s: `reconcile audit --env %s`", env.Name, text, env.Name))
			}
		}
		if text := PythonEndText(m.Manifest, env, now); text != "" {
			notes = append(notes, fmt.Sprintf("environment %s: %s", env.Name, text))
		}
	}
	return notes
}

// PythonEndID is the id of the finding that a Python minor version is past its end of life.
func PythonEndID(minor string) string { return "eol-python-" + minor }

// PythonEndText returns that the Python of an environment is past its end of life, or will be within
// 90 days; "" if not, if it is not known, or if the manifest accepts it.
func PythonEndText(m *manifest.Manifest, env *manifest.Environment, now time.Time) string {
	end, ok := catalog.PythonEnd(env.Python)
	if _, accepted := m.Audit.Accepts(now, PythonEndID(env.Python)); !ok || accepted {
		return ""
	}
	return end.Text("Python "+env.Python, now)
}
