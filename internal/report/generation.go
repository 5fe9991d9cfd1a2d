package report

import (
	"cmp"
	"io"
	"slices"
	"strconv"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// A Generation is one built environment in a list.
type Generation struct {
	Name     string `json:"name"`
	Current  bool   `json:"current"`
	Created  string `json:"created,omitempty"` // RFC 3339
	Python   string `json:"python"`
	Packages int    `json:"packages"`
	Disk     int64  `json:"disk"`             // bytes that are not shared; -1 if unknown
	Damage   int    `json:"damage,omitempty"` // places that differ from the seal in name or size
	Path     string `json:"path"`
}

// Generations prints generations in the given order, the active one with a star.
func Generations(w io.Writer, list []Generation, o Options) error {
	p := newPage(w, o)
	if len(list) == 0 {
		p.line(0, "No generation is built yet; `reconcile apply` builds one.")
		return p.close()
	}
	rows := [][]string{{"", "GENERATION", "CREATED", "PYTHON", "PACKAGES", "DISK", ""}}
	for _, g := range list {
		star, size, damage := "", "?", ""
		if g.Current {
			star = "*"
		}
		if g.Disk >= 0 {
			size = bytesize.Format(g.Disk)
		}
		if g.Damage > 0 {
			damage = "damaged in " + plural.Count(g.Damage, "place")
		}
		rows = append(rows, []string{star, g.Name, g.Created, g.Python, strconv.Itoa(g.Packages), size, damage})
	}
	p.grid(rows)
	return p.close()
}

// Damage prints what differs from the installed state, one line each.
func Damage(w io.Writer, list []facts.Damage, o Options) error {
	p := newPage(w, o)
	for _, d := range DistinctDamage(list) {
		subject := d.Subject()
		if owner := cmp.Or(d.Dist, d.Conda); owner != "" && subject == d.Path {
			subject += " (" + owner + ")"
		}
		p.hang(0, red, subject+": ", d.Description())
	}
	return p.close()
}

// DistinctDamage returns damage as people count it: a moved project is one damage, in
// however many files it shows.
func DistinctDamage(list []facts.Damage) []facts.Damage {
	moved := false
	return slices.DeleteFunc(slices.Clone(list), func(d facts.Damage) bool {
		again := moved && d.What == "moved"
		moved = moved || d.What == "moved"
		return again
	})
}
