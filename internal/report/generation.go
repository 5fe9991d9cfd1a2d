package report

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Generation is one built environment in a list.
type Generation struct {
	Name     string `json:"name"`
	Current  bool   `json:"current"`
	Created  string `json:"created,omitempty"` // RFC 3339
	Python   string `json:"python"`
	Packages int    `json:"packages"`
	Disk     int64  `json:"disk"`             // bytes that it alone takes; -1 where that is not known
	Damage   int    `json:"damage,omitempty"` // places where it is not as it was sealed, by names and sizes
	Path     string `json:"path"`
}

// Generations prints generations in the order given, the visible one with a star.
func Generations(w io.Writer, list []Generation, o Options) error {
	p := newPage(w, o)
	if len(list) == 0 {
		p.line(0, "No generation is built yet; `reconcile apply` builds one.")
		return p.close()
	}
	rows := [][]string{{"", "GENERATION", "CREATED", "PYTHON", "PACKAGES", "DISK", ""}}
	for _, g := range list {
		star, size := "", "?"
		if g.Current {
			star = "*"
		}
		if g.Disk >= 0 {
			size = bytesize.Format(g.Disk)
		}
		row := []string{star, g.Name, g.Created, g.Python, strconv.Itoa(g.Packages), size, ""}
		if g.Damage > 0 {
			row[6] = "damaged in " + plural.Count(g.Damage, "place")
		}
		rows = append(rows, row)
	}
	p.grid(rows, bold)
	return p.close()
}

// grid prints rows of cells under each other, the first row as a heading.
func (p *page) grid(rows [][]string, heading color) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = Escape(row[i])
			widths[i] = max(widths[i], columns(row[i]))
		}
	}
	for n, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell
			if i < len(row)-1 {
				line += spaces(widths[i] - columns(cell) + 2)
			}
		}
		c := plain
		if n == 0 {
			c = heading
		}
		p.raw(p.paint(c, strings.TrimRight(line, " ")) + "\n")
	}
}

// Damage prints what is no longer as it was installed, one line each, in the words
// of the plan that mends it.
func Damage(w io.Writer, list []facts.Damage, o Options) error {
	p := newPage(w, o)
	for _, d := range DistinctDamage(list) {
		thing := d.Subject()
		if owner := cmp.Or(d.Dist, d.Conda); owner != "" && thing == d.Path {
			thing += " (" + owner + ")"
		}
		p.hang(0, red, thing+": ", d.Description())
	}
	return p.close()
}

// DistinctDamage returns damage as people count it: that the project was moved is one thing, in
// however many files it shows.
func DistinctDamage(list []facts.Damage) []facts.Damage {
	moved := false
	return slices.DeleteFunc(slices.Clone(list), func(d facts.Damage) bool {
		again := moved && d.What == "moved"
		moved = moved || d.What == "moved"
		return again
	})
}

// PackageChange prints one distribution that comes, goes or changes version.
func PackageChange(w io.Writer, c resources.PackageChange, o Options) error {
	p := newPage(w, o)
	p.packageChange(2, c)
	return p.close()
}
