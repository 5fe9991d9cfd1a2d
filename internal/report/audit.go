package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// An AuditKind is the kind of a finding of an audit.
type AuditKind string

const (
	Vulnerability AuditKind = "vulnerability"
	Yanked        AuditKind = "yanked"           // the release was withdrawn by its authors
	EndOfLife     AuditKind = "end-of-life"      // there are no fixes any more
	EndsSoon      AuditKind = "end-of-life-soon" // within 90 days; it does not count
	LastBuilds    AuditKind = "last-builds"      // PyTorch has no later builds for it; it does not count
)

// An Audit is the result of `reconcile audit`.
type Audit struct {
	Version      int                `json:"version"`
	Time         time.Time          `json:"time"`
	Source       string             `json:"source"`          // of the vulnerabilities: a URL, or the path of a database
	Newest       time.Time          `json:"newest,omitzero"` // when the latest record of a database was modified
	Environments []AuditEnvironment `json:"environments"`
	Notes        []string           `json:"notes"`
}

// An AuditEnvironment is the result for one environment.
type AuditEnvironment struct {
	Name      string           `json:"name"`
	Lock      string           `json:"lock"`
	Python    string           `json:"python"`
	Packages  int              `json:"packages"` // that were compared with the database
	Findings  []AuditFinding   `json:"findings"`
	Unchecked []AuditUnchecked `json:"unchecked"`
	Licenses  []AuditLicense   `json:"licenses,omitempty"` // with --licenses
}

// An AuditFinding is a known flaw of a locked package, or an end.
type AuditFinding struct {
	Kind     AuditKind `json:"kind"`
	ID       string    `json:"id"`                // which `audit.ignore` names
	Aliases  []string  `json:"aliases,omitempty"` // further ids of the same flaw
	Package  string    `json:"package,omitempty"` // "" for an end of life
	Version  string    `json:"version,omitempty"`
	Index    string    `json:"index,omitempty"` // name of the index in the manifest, "" for the default one
	Summary  string    `json:"summary"`
	Severity string    `json:"severity,omitempty"` // low, moderate, high, critical; "" if it is unknown
	FixedIn  []string  `json:"fixed_in,omitempty"` // versions above the locked one, in order
	// LastAffected is the highest version that is known to be affected, if no fixed one is known.
	LastAffected string `json:"last_affected,omitempty"`
	End          string `json:"end,omitempty"` // month of an end of life, "2026-10"
	URL          string `json:"url,omitempty"`
	// Requested reports whether the project requests the package. Otherwise Via is a path to it from a
	// package that the project requests.
	Requested bool             `json:"requested"`
	Via       []string         `json:"via,omitempty"`
	Position  diag.Pos         `json:"position,omitzero"`   // of the request
	Platforms []string         `json:"platforms,omitempty"` // that need the version; absent for all
	Remedy    string           `json:"remedy,omitempty"`
	Accepted  *AuditAcceptance `json:"accepted,omitempty"`
}

// An AuditAcceptance is the reason why a finding does not count.
type AuditAcceptance struct {
	Why   string `json:"why"`
	Until string `json:"until,omitempty"` // the last day, "2027-01-31"
}

// An AuditUnchecked is a locked package that was not compared with the database.
type AuditUnchecked struct {
	Package string `json:"package"`
	Version string `json:"version"`
	Reason  string `json:"reason"`
}

// An AuditLicense is the licence of a locked package, from its metadata.
type AuditLicense struct {
	Package string `json:"package"`
	Version string `json:"version"`
	License string `json:"license"` // an SPDX expression, or the text of the metadata; "" if it is unknown
}

// Counts reports whether the finding makes the audit fail.
func (f *AuditFinding) Counts() bool {
	return f.Accepted == nil && f.Kind != EndsSoon && f.Kind != LastBuilds
}

// Count returns the number of findings of a kind that count, "" for all kinds.
func (e *AuditEnvironment) Count(kind AuditKind) (n int) {
	for i := range e.Findings {
		if f := &e.Findings[i]; f.Counts() && (kind == "" || f.Kind == kind) {
			n++
		}
	}
	return n
}

// Count returns the number of findings that count.
func (a *Audit) Count() (n int) {
	for i := range a.Environments {
		n += a.Environments[i].Count("")
	}
	return n
}

// AuditText prints an audit: a block for each package with findings, then what was not checked,
// licences, notes, and a line with the counts for each environment.
func AuditText(w io.Writer, a *Audit, o Options) error {
	p := newPage(w, o)
	for i := range a.Environments {
		e := &a.Environments[i]
		if len(a.Environments) > 1 {
			p.heading(Escape("Environment " + e.Name))
			p.blank()
		}
		p.auditFindings(e)
		p.auditUnchecked(e)
		if len(e.Licenses) > 0 {
			p.auditLicenses(e)
		}
	}
	p.notes(a.Notes)
	for i := range a.Environments {
		p.auditCounts(&a.Environments[i], a)
	}
	return p.close()
}

// auditFindings prints the findings, those of one version of a package together.
func (p *page) auditFindings(e *AuditEnvironment) {
	for i := range e.Findings {
		f := &e.Findings[i]
		var before, after AuditFinding
		if i > 0 {
			before = e.Findings[i-1]
		}
		if i+1 < len(e.Findings) {
			after = e.Findings[i+1]
		}
		if !f.sameSubject(before) {
			p.subject(f.subject())
		}
		p.auditFinding(f)
		if !f.sameSubject(after) {
			if f.Remedy != "" {
				p.hang(2, cyan, "do: ", f.Remedy)
			}
			p.blank()
		}
	}
}

// subject prints a heading, which is folded where it is too long.
func (p *page) subject(text string) {
	if p.o.Width > 0 && columns(Escape(text)) > p.o.Width {
		p.line(0, "%s", text)
		return
	}
	p.heading(Escape(text))
}

func (f *AuditFinding) sameSubject(g AuditFinding) bool {
	return f.Package != "" && f.Package == g.Package && f.Version == g.Version && f.Remedy == g.Remedy
}

// subject returns a package, and why it is locked.
func (f *AuditFinding) subject() string {
	if f.Package == "" {
		return f.Summary
	}
	text := f.Package + " " + f.Version
	switch {
	case f.Requested && f.Position.IsValid():
		text += ", requested in " + f.Position.String()
	case f.Requested:
		text += ", requested"
	case len(f.Via) > 0:
		text += ", a dependency: " + strings.Join(f.Via, " > ") + " > " + f.Package
	}
	if len(f.Platforms) > 0 {
		text += " (" + strings.Join(f.Platforms, ", ") + ")"
	}
	return text
}

// color returns the color of a finding.
func (f *AuditFinding) color() color {
	switch {
	case !f.Counts():
		return plain
	case f.Severity == "critical" || f.Severity == "high":
		return red
	}
	return yellow
}

func (p *page) auditFinding(f *AuditFinding) {
	var parts []string
	if f.Kind == Vulnerability {
		parts = append(parts, cmp.Or(f.Severity, "severity unknown"))
		switch {
		case len(f.FixedIn) > 0:
			parts = append(parts, "fixed in "+strings.Join(f.FixedIn, ", "))
		case f.LastAffected != "":
			parts = append(parts, "no fixed version is known; affected up to "+f.LastAffected)
		default:
			parts = append(parts, "no fixed version is known")
		}
	}
	if f.Package != "" && f.Kind != Vulnerability {
		parts = append(parts, f.Summary)
	}
	if len(parts) == 0 {
		p.hang(2, f.color(), f.ID, "")
	} else {
		p.hang(2, f.color(), f.ID+"  ", strings.Join(parts, ", "))
	}
	if f.Kind == Vulnerability && f.Summary != "" {
		p.line(4, "%s", f.Summary)
	}
	if len(f.Aliases) > 0 {
		p.line(4, "also %s", strings.Join(f.Aliases, ", "))
	}
	if a := f.Accepted; a != nil {
		until := ""
		if a.Until != "" {
			until = " until " + a.Until
		}
		p.line(4, "accepted%s: %s", until, a.Why)
	}
}

// auditUnchecked prints the packages that were not compared, by reason.
func (p *page) auditUnchecked(e *AuditEnvironment) {
	names := map[string][]string{}
	var reasons []string
	for _, u := range e.Unchecked {
		if names[u.Reason] == nil {
			reasons = append(reasons, u.Reason)
		}
		names[u.Reason] = append(names[u.Reason], u.Package+" "+u.Version)
	}
	if len(reasons) == 0 {
		return
	}
	p.heading("Not checked")
	for _, reason := range reasons {
		p.hang(2, plain, "- ", plural.Count(len(names[reason]), "package")+", "+reason+": "+strings.Join(names[reason], ", "))
	}
	p.blank()
}

// auditLicenses prints the licences, with the packages of each.
func (p *page) auditLicenses(e *AuditEnvironment) {
	names := map[string][]string{}
	for _, l := range e.Licenses {
		license := cmp.Or(l.License, "unknown")
		names[license] = append(names[license], l.Package)
	}
	var licenses []string
	for license := range names {
		licenses = append(licenses, license)
	}
	slices.SortFunc(licenses, func(a, b string) int {
		return cmp.Or(cmp.Compare(boolean(a == "unknown"), boolean(b == "unknown")), cmp.Compare(len(names[b]), len(names[a])), cmp.Compare(a, b))
	})
	p.heading("Licences")
	for _, license := range licenses {
		p.hang(2, plain, "- ", license+": "+strings.Join(names[license], ", "))
	}
	p.blank()
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// auditCounts prints the result of an environment as one line.
func (p *page) auditCounts(e *AuditEnvironment, a *Audit) {
	accepted := 0
	for i := range e.Findings {
		if e.Findings[i].Accepted != nil {
			accepted++
		}
	}
	c, text := green, "nothing found"
	if e.Count("") > 0 {
		var parts []string
		if n := e.Count(Vulnerability); n > 0 {
			parts = append(parts, plural.Count(n, "known vulnerability"))
		}
		if n := e.Count(Yanked); n > 0 {
			parts = append(parts, plural.Count(n, "withdrawn release"))
		}
		if n := e.Count(EndOfLife); n > 0 {
			parts = append(parts, fmt.Sprintf("%d past the end of life", n))
		}
		c, text = red, strings.Join(parts, ", ")
	}
	if accepted > 0 {
		text += fmt.Sprintf(", %d accepted", accepted)
	}
	source := a.Source
	if !a.Newest.IsZero() {
		source += " of " + a.Newest.Format(time.DateOnly)
	}
	p.last(c, "Audit: ", fmt.Sprintf("environment %s: %s; %s compared with %s.", e.Name, text, plural.Count(e.Packages, "package"), source))
}
