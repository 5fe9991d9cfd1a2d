package report

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// A Store is the store of a user, with the disk space that its parts take. Sizes are bytes on
// disk.
type Store struct {
	Path       string         `json:"path"`
	Source     string         `json:"source"`                // "RECONCILE_STORE", the file that configures it, or "default"
	FileSystem string         `json:"file_system,omitempty"` // "ext4"
	Network    bool           `json:"network,omitempty"`     // other machines may use it at the same time
	Free       int64          `json:"free"`                  // on its file system; -1 if unknown
	Size       int64          `json:"size"`                  // each file once, however many names it has
	Unused     int64          `json:"unused"`                // freed by prune
	Parts      []StorePart    `json:"parts"`
	Projects   []StoreProject `json:"projects"`            // the last used first
	Gone       int            `json:"gone"`                // projects whose folder is gone
	GoneSize   int64          `json:"gone_size,omitempty"` // freed by removing these projects together
	Notes      []string       `json:"notes,omitempty"`
}

// A StorePart is one directory of a store. A file that has names in several parts is counted
// in the first.
type StorePart struct {
	Name    string `json:"name"` // "dists", "conda", "tools", "cache", "tmp", "projects"
	Entries int    `json:"entries"`
	Size    int64  `json:"size"`
	Unused  int64  `json:"unused"` // freed by prune
}

// A ProjectStatus states whether the folder of a project exists.
type ProjectStatus string

// The statuses of a project.
const (
	ProjectExists      ProjectStatus = "exists"
	ProjectMoved       ProjectStatus = "moved"       // another folder uses its environments
	ProjectGone        ProjectStatus = "gone"        // its folder does not exist
	ProjectUnreachable ProjectStatus = "unreachable" // the folder above is missing, empty or does not answer
	ProjectUnknown     ProjectStatus = "unknown"     // its path is not recorded
)

// A StoreProject is the state directory of one project.
type StoreProject struct {
	Name         string        `json:"name"`           // of its state directory
	Path         string        `json:"path,omitempty"` // of the project
	Status       ProjectStatus `json:"status"`
	MovedTo      string        `json:"moved_to,omitempty"` // the folder that uses its environments
	LastUse      time.Time     `json:"last_use"`           // of an apply or `reconcile run`
	Environments []string      `json:"environments,omitempty"`
	Generations  int           `json:"generations"`
	Incomplete   int           `json:"incomplete,omitempty"` // generations that were not finished
	Shared       int64         `json:"shared"`               // of files that the store or other projects have too
	Exclusive    int64         `json:"exclusive"`            // freed by removing it alone
	Kept         int64         `json:"kept"`                 // the part of exclusive with contents of replaced files
}

type storeDocument struct {
	Version int `json:"version"`
	*Store
}

// StoreJSON writes a store as one document.
func StoreJSON(w io.Writer, s *Store) error { return writeJSON(w, storeDocument{Version, s}, "  ") }

// PrintStore prints a store: where it is, its parts, its projects, and what can be freed.
func PrintStore(w io.Writer, s *Store, o Options) error {
	p := newPage(w, o)
	rows := [][2]string{{"store", fmt.Sprintf("%s (%s)", s.Path, s.Source)}}
	if s.Free >= 0 {
		text := bytesize.Format(s.Free) + " free"
		if s.FileSystem != "" {
			text = s.FileSystem + ", " + text
		}
		rows = append(rows, [2]string{"file system", text})
	}
	p.table(0, append(rows, [2]string{"size", bytesize.Format(s.Size)}))
	if len(s.Parts) == 0 {
		p.line(0, "It does not exist yet; `reconcile apply` makes it.")
		return p.close()
	}
	p.blank()
	grid := [][]string{{"PART", "ENTRIES", "SIZE", "UNUSED"}}
	for _, part := range s.Parts {
		grid = append(grid, []string{part.Name, fmt.Sprint(part.Entries), bytesize.Format(part.Size), bytesize.Format(part.Unused)})
	}
	p.grid(grid)
	for i := range s.Projects {
		if i == 0 {
			p.blank()
			p.heading("Projects")
		}
		p.storeProject(&s.Projects[i])
	}
	hints := StoreHints(s)
	if len(hints)+len(s.Notes) > 0 {
		p.blank()
	}
	p.notes(s.Notes)
	for _, text := range hints {
		p.line(0, "%s", text)
	}
	return p.close()
}

// StoreHints returns the commands that free space, one a line.
func StoreHints(s *Store) (hints []string) {
	if s.Unused > 0 {
		hints = []string{fmt.Sprintf("%s in the store are unused: `reconcile store prune` frees them.", bytesize.Format(s.Unused))}
	}
	if s.Gone > 0 {
		is := "is"
		if s.Gone > 1 {
			is = "are"
		}
		hints = append(hints, fmt.Sprintf("%s %s gone, %s: `reconcile store prune --gone` frees them.", plural.Count(s.Gone, "project"), is, bytesize.Format(s.GoneSize)))
	}
	return hints
}

func (p *page) storeProject(s *StoreProject) {
	name, rest, c := s.Path, "", yellow
	switch s.Status {
	case ProjectExists:
		c = plain
	case ProjectMoved:
		rest = "  moved to " + s.MovedTo
	case ProjectGone:
		rest = "  gone"
	case ProjectUnreachable:
		rest = "  unreachable: the folder above it is missing, empty or does not answer"
	case ProjectUnknown:
		name, rest = s.Name, "  its path is not recorded"
	}
	p.folded(2, 4, c, name, rest)
	texts := []string{"used " + s.LastUse.Format(time.DateOnly)}
	if len(s.Environments) > 0 {
		texts = append(texts, strings.Join(s.Environments, " and "))
	}
	if s.Generations > 0 || s.Incomplete == 0 {
		texts = append(texts, plural.Count(s.Generations, "generation"))
	}
	if s.Incomplete > 0 {
		texts = append(texts, plural.Count(s.Incomplete, "incomplete generation"))
	}
	texts = append(texts, bytesize.Format(s.Shared)+" shared", bytesize.Format(s.Exclusive)+" of its own")
	if s.Kept > 0 {
		texts = append(texts, bytesize.Format(s.Kept)+" of them replaced files")
	}
	p.line(4, "%s", strings.Join(texts, ", "))
}

// A Prune is what `reconcile store prune` removed or, with DryRun, would remove.
type Prune struct {
	Store    string          `json:"store"` // absolute path
	DryRun   bool            `json:"dry_run"`
	Items    []PruneItem     `json:"items"`
	Freed    int64           `json:"freed"` // bytes
	Notes    []string        `json:"notes,omitempty"`
	Problems []*diag.Problem `json:"problems,omitempty"`
}

// A PruneItem is a part of the store that is removed as a whole.
type PruneItem struct {
	Kind        string `json:"kind"`                  // "project", "generation", "wheel", "conda package", "tool", "cache", "temporary"
	Path        string `json:"path"`                  // absolute
	Project     string `json:"project,omitempty"`     // path of the project, or the name of its state directory
	Environment string `json:"environment,omitempty"` // of a generation
	Generations int    `json:"generations,omitempty"` // of a project
	Size        int64  `json:"size"`                  // bytes that its removal frees, after the items before it
	Why         string `json:"why"`
	Action      string `json:"action"`           // "remove" in a dry run, else "removed", "kept"
	Reason      string `json:"reason,omitempty"` // why it is kept
}

type pruneDocument struct {
	Version int `json:"version"`
	*Prune
}

// PruneJSON writes a prune as one document.
func PruneJSON(w io.Writer, d *Prune) error { return writeJSON(w, pruneDocument{Version, d}, "  ") }

// PrunePlan prints what a prune would remove. Items outside the projects are printed one by
// one with Options.Verbose, else their number.
func PrunePlan(w io.Writer, d *Prune, o Options) error {
	p := newPage(w, o)
	type group struct {
		count int
		size  int64
	}
	groups, order := map[string]group{}, []string{}
	for _, i := range d.Items {
		switch {
		case i.Kind == "project":
			p.hang(0, red, "- ", fmt.Sprintf("%s: its state with %s, %s: %s", Escape(i.Project), plural.Count(i.Generations, "generation"), bytesize.Format(i.Size), i.Why))
		case i.Kind == "generation":
			p.hang(0, red, "- ", fmt.Sprintf("%s: %s %s, %s: %s", Escape(i.Project), i.Environment, path.Base(i.Path), bytesize.Format(i.Size), i.Why))
		case o.Verbose:
			p.hang(0, red, "- ", fmt.Sprintf("%s: %s, %s", Escape(i.Path), i.Why, bytesize.Format(i.Size)))
		default:
			if groups[i.Kind].count == 0 {
				order = append(order, i.Kind)
			}
			g := groups[i.Kind]
			groups[i.Kind] = group{g.count + 1, g.size + i.Size}
		}
	}
	for _, kind := range order {
		p.hang(0, red, "- ", fmt.Sprintf("%s, %s", groupText(kind, groups[kind].count), bytesize.Format(groups[kind].size)))
	}
	if len(d.Items) == 0 {
		p.line(0, "Nothing to remove: everything in the store is used.")
	} else {
		p.line(0, "%s would be freed.", bytesize.Format(d.Freed))
	}
	if len(d.Notes) > 0 {
		p.blank()
		p.notes(d.Notes)
	}
	return p.close()
}

// groupText describes a number of items of a kind.
func groupText(kind string, n int) string {
	switch kind {
	case "temporary":
		return plural.Count(n, "temporary file") + " of earlier runs"
	case "cache":
		return plural.Count(n, "cache") + " that can be downloaded again"
	}
	return plural.Count(n, kind) + " that no environment uses"
}

// PruneResult prints what a prune kept, and what it freed.
func PruneResult(w io.Writer, d *Prune, o Options) error {
	p := newPage(w, o)
	for _, i := range d.Items {
		if i.Action != "kept" {
			continue
		}
		subject := i.Path
		if i.Project != "" {
			subject = strings.TrimSpace(i.Project + " " + i.Environment)
			if i.Kind == "generation" {
				subject += " " + path.Base(i.Path)
			}
		}
		p.line(0, "kept %s: %s", Escape(subject), Escape(i.Reason))
	}
	p.last(green, "Freed ", bytesize.Format(d.Freed)+".")
	return p.close()
}

// IsPartial reports whether an item was kept.
func (d *Prune) IsPartial() bool {
	return slices.ContainsFunc(d.Items, func(i PruneItem) bool { return i.Action == "kept" })
}
