package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/compare"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// A Comparison is machines beside each other.
type Comparison struct {
	Machines []ComparedMachine `json:"machines"`
	Rows     []compare.Row     `json:"rows"`
}

// A ComparedMachine is the head of a column.
type ComparedMachine struct {
	Name        string `json:"name"`
	Source      string `json:"source"` // the file of its facts; "." for this machine
	Environment string `json:"environment,omitempty"`
}

// notRecorded stands where a machine does not say.
const notRecorded = "not recorded"

// shown returns the rows that a reader is to see: those that differ or are not known,
// or all.
func (c *Comparison) shown(all bool) []compare.Row {
	var rows []compare.Row
	for _, r := range c.Rows {
		if all || r.Differs || r.Unknown {
			rows = append(rows, r)
		}
	}
	return rows
}

// line counts the rows.
func (c *Comparison) line() string {
	differ, unknown := compare.CountDifferences(c.Rows)
	same := len(c.Rows) - differ - unknown
	text := fmt.Sprintf("%d differ, %d the same", differ, same)
	if differ == 0 {
		text = fmt.Sprintf("%s agree in %s", plural.Count(len(c.Machines), "machine"), plural.Count(same, "thing"))
	}
	if unknown > 0 {
		text += fmt.Sprintf(", %d not recorded by all", unknown)
	}
	return text
}

// Compare prints machines beside each other: a column for each, and of the rows those
// that differ. Detail shows all rows. Where the columns are wider than the terminal,
// each machine has a line.
func Compare(w io.Writer, c *Comparison, o Options) error {
	p := newPage(w, o)
	rows := c.shown(o.Detail)
	if len(rows) > 0 {
		table := c.table(rows)
		if o.Width == 0 || tableWidth(table) <= o.Width {
			p.grid(table, bold)
		} else {
			p.stack(c, rows)
		}
		p.blank()
	}
	color := green
	if differ, _ := compare.CountDifferences(c.Rows); differ > 0 {
		color = yellow
	}
	p.last(color, "Compare: ", c.line()+".")
	return p.close()
}

// table is the rows with a mark before those that differ, and the machines above.
func (c *Comparison) table(rows []compare.Row) [][]string {
	head := []string{"", "TOPIC", "WHAT"}
	for _, m := range c.Machines {
		head = append(head, m.Name)
	}
	table := [][]string{head}
	for _, r := range rows {
		table = append(table, append([]string{mark(r), r.Topic, r.Name}, values(r)...))
	}
	return table
}

// mark says of a row how it stands: "!" for a difference, "?" where that is not known.
func mark(r compare.Row) string {
	switch {
	case r.Differs:
		return "!"
	case r.Unknown:
		return "?"
	}
	return ""
}

func values(r compare.Row) []string {
	out := make([]string, len(r.Values))
	for i, v := range r.Values {
		if out[i] = v; v == "" {
			out[i] = notRecorded
		}
	}
	return out
}

func tableWidth(table [][]string) int {
	sum := 0
	for i := range table[0] {
		wide := 0
		for _, row := range table {
			wide = max(wide, columns(Escape(row[i])))
		}
		sum += wide + 2
	}
	return sum - 2
}

// stack prints each row as a heading with a line for each machine.
func (p *page) stack(c *Comparison, rows []compare.Row) {
	names := make([]string, len(c.Machines))
	wide := 0
	for i, m := range c.Machines {
		names[i] = Escape(m.Name)
		wide = max(wide, columns(names[i]))
	}
	for _, r := range rows {
		text := r.Topic + ": " + r.Name
		if m := mark(r); m != "" {
			text = m + " " + text
		}
		p.hang(0, bold, text, "")
		for i, v := range values(r) {
			p.hang(2, plain, names[i]+spaces(wide-columns(names[i])+2), v)
		}
	}
}

// CompareMarkdown prints machines beside each other as a table of Markdown, for a
// comment on a pull request.
func CompareMarkdown(w io.Writer, c *Comparison, o Options) error {
	head := block{long: "### reconcile compare\n\n**" + md(c.line()) + ".**\n\n", rank: rankHead}
	head.short = head.long
	blocks := []block{head}
	rows := c.shown(o.Detail)
	if len(rows) > 0 {
		line := "| | topic | what |"
		rule := "|---|---|---|"
		for _, m := range c.Machines {
			line += " " + md(Escape(m.Name)) + " |"
			rule += "---|"
		}
		text := line + "\n" + rule + "\n"
		blocks = append(blocks, block{text, text, rankHead})
	}
	for _, r := range rows {
		cells := []string{map[string]string{"!": "≠", "?": "?"}[mark(r)], r.Topic, md(Escape(r.Name))}
		for _, v := range values(r) {
			cells = append(cells, md(Escape(v)))
		}
		text := "| " + strings.Join(cells, " | ") + " |\n"
		rank := rankCheck
		if !r.Differs {
			rank = rankNote
		}
		blocks = append(blocks, block{text, "", rank})
	}
	_, err := io.WriteString(w, fitBlocks(blocks, maxComment))
	return err
}

// compareDocument is a comparison for programs, format version 1.
type compareDocument struct {
	Version int `json:"version"`
	*Comparison
	Differ  int `json:"differ"`  // rows
	Unknown int `json:"unknown"` // rows that do not differ and of which a machine does not say
}

// CompareJSON writes a comparison as one document with format version 1, with all rows.
func CompareJSON(w io.Writer, c *Comparison) error {
	differ, unknown := compare.CountDifferences(c.Rows)
	return writeJSON(w, compareDocument{Version, c, differ, unknown}, "  ")
}
