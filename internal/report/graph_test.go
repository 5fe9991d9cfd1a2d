package report_test

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// graphs are the output formats.
var graphs = map[string]func(io.Writer, *report.Graph) error{
	"dot": report.GraphDOT, "mmd": report.GraphMermaid, "json": report.GraphJSON,
}

// tangled is a graph of about thirty resources with many dependencies.
func tangled(t *testing.T) *report.Graph {
	t.Helper()
	var list []resources.Resource
	plan := &planner.Plan{}
	addr := func(i int) resources.Addr {
		return resources.Addr{Kind: "directory", Name: fmt.Sprintf("part_%02d", i)}
	}
	actions := []resources.Action{resources.None, resources.Create, resources.Update, resources.Replace, resources.Blocked, resources.Defer}
	for i := range 30 {
		r := res("directory", addr(i).Name, facts.PathKey(fmt.Sprintf("part-%02d", i)))
		for _, before := range []int{i / 2, i - 7, i - 1 - i%5} {
			if before >= 0 && before < i && i < 26 {
				r.DependsOn = append(r.DependsOn, addr(before))
			}
		}
		list = append(list, *r)
		plan.Items = append(plan.Items, planner.Item{Resource: r, Change: resources.Change{Action: actions[i%len(actions)]}})
	}
	plan.Items = append(plan.Items, planner.Item{Resource: res("file", "old", facts.PathKey("old")), Change: resources.Change{Action: resources.Delete}})
	g, err := report.GraphOf(report.Machine{Plan: plan, Resources: list})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGraph(t *testing.T) {
	g := tangled(t)
	for name, write := range graphs {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b, g); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/graph."+name, b.Bytes())
		})
	}
}

// TestGraphOfHostileNames checks that no format interprets a name.
func TestGraphOfHostileNames(t *testing.T) {
	for _, name := range []string{hostile, markup, `"]; n0 -> n1; n9 ["`, `\N\"`, "]]></text>", "`**a**`", "&amp;"} {
		g := &report.Graph{Nodes: []report.GraphNode{{Addr: resources.Addr{Kind: "file", Name: name}, Owns: name, Action: resources.Create}, {Addr: resources.Addr{Kind: "file", Name: "b"}}}, Edges: []report.GraphEdge{{From: 0, To: 1}}}
		for format, write := range graphs {
			var b bytes.Buffer
			if err := write(&b, g); err != nil {
				t.Fatal(err)
			}
			text := b.String()
			if controls(text) {
				t.Errorf("%s of %q can control a terminal: %q", format, name, text)
			}
			switch format {
			case "dot":
				checkDOT(t, text)
			case "mmd":
				if n := strings.Count(text, `"`); n != 4 || strings.ContainsAny(text, "`<>&") && strings.Count(text, ">") != 1 {
					t.Errorf("a name is more than a name in\n%s", text)
				}
			}
		}
	}
}

// checkDOT counts arrows outside quotes, and parses the graph with dot if it is installed.
func checkDOT(t *testing.T, text string) {
	t.Helper()
	quoted, arrows := false, 0
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(text[i:], "->"):
			arrows++
		}
	}
	if quoted || arrows != 1 {
		t.Errorf("%d arrows outside of quotes in\n%s", arrows, text)
	}
	if dot, err := exec.LookPath("dot"); err == nil {
		cmd := exec.Command(dot, "-Tcanon")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("dot: %v\n%s", err, out)
		}
	}
}
