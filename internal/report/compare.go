package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/compare"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// A Comparison is the differences between machines.
type Comparison struct {
	Machines []ComparedMachine `json:"machines"`
	Rows     []compare.Row     `json:"rows"`
}

// A ComparedMachine is the heading of a column.
type ComparedMachine struct {
	Name        string `json:"name"`
	Source      string `json:"source"` // the file of its facts; "." for this machine
	Environment string `json:"environment,omitempty"`
}

const notRecorded = "not recorded"

// rows returns the rows that differ or are unknown, or all.
func (c *Comparison) rows(all bool) []compare.Row {
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
		text = fmt.Sprintf("%s agree in %s", plural.Count(len(c.Machines), "machine"), plural.Count(same, "aspect"))
	}
	if unknown > 0 {
		text += fmt.Sprintf(", %d not recorded by all", unknown)
	}
	return text
}

// Compare prints a table with a column for each machine and the rows that differ, or all
// with o.Detail. If the table is wider than the terminal, each machine has its own line.
func Compare(w io.Writer, c *Comparison, o Options) error {
	p := newPage(w, o)
	if rows := c.rows(o.Detail); len(rows) > 0 {
		head := []string{"", "TOPIC", "WHAT"}
		for _, m := range c.Machines {
			head = append(head, m.Name)
		}
		table := [][]string{head}
		for _, r := range rows {
			table = append(table, append([]string{mark(r), r.Topic, r.Name}, values(r)...))
		}
		width := -2
		for _, n := range gridWidths(table) {
			width += n + 2
		}
		if o.Width == 0 || width <= o.Width {
			p.grid(table)
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

// mark returns "!" for a difference and "?" if a machine has no value.
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
		out[i] = cmp.Or(v, notRecorded)
	}
	return out
}

// stack prints each row as a heading with a line for each machine.
func (p *page) stack(c *Comparison, rows []compare.Row) {
	for _, r := range rows {
		p.hang(0, bold, strings.TrimPrefix(mark(r)+" ", " ")+r.Topic+": "+r.Name, "")
		var table [][2]string
		for i, v := range values(r) {
			table = append(table, [2]string{c.Machines[i].Name, v})
		}
		p.table(2, table)
	}
}

// CompareMarkdown prints a table in Markdown for a comment on a pull request.
func CompareMarkdown(w io.Writer, c *Comparison, o Options) error {
	head := "### reconcile compare\n\n**" + md(c.line()) + ".**\n\n"
	blocks := []block{{head, head, rankHead}}
	rows := c.rows(o.Detail)
	if len(rows) > 0 {
		line, rule := "| | topic | what |", "|---|---|---|"
		for _, m := range c.Machines {
			line += " " + md(Escape(m.Name)) + " |"
			rule += "---|"
		}
		text := line + "\n" + rule + "\n"
		blocks = append(blocks, block{text, text, rankHead})
	}
	for _, r := range rows {
		cells := []string{strings.Replace(mark(r), "!", "≠", 1), r.Topic, md(Escape(r.Name))}
		for _, v := range values(r) {
			cells = append(cells, md(Escape(v)))
		}
		rank := rankCheck
		if !r.Differs {
			rank = rankNote
		}
		blocks = append(blocks, block{"| " + strings.Join(cells, " | ") + " |\n", "", rank})
	}
	_, err := io.WriteString(w, fitBlocks(blocks, maxComment))
	return err
}

type compareDocument struct {
	Version int `json:"version"`
	*Comparison
	Differ  int `json:"differ"`  // rows
	Unknown int `json:"unknown"` // rows that do not differ but lack a value
}

// CompareJSON writes a comparison with all rows as one document.
func CompareJSON(w io.Writer, c *Comparison) error {
	differ, unknown := compare.CountDifferences(c.Rows)
	return writeJSON(w, compareDocument{Version, c, differ, unknown}, "  ")
}
