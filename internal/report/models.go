package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Models are the models of a manifest on one machine: what is there, and how the rest
// is had.
type Models struct {
	Environment string `json:"environment"` // of this machine; "" where the manifest has none
	Cache       string `json:"cache"`       // HF_HUB_CACHE inside the environment, absolute
	Place       string `json:"place"`       // where that leads on this machine
	Free        int64  `json:"free"`        // bytes at that place; -1 where that is not known
	Download    int64  `json:"download"`    // bytes that are not there yet, as far as is known
	Token       Token  `json:"token"`
	// Items are what the environment needs, or all models of the manifest.
	Items []ModelItem `json:"models"`
	Notes []string    `json:"notes,omitempty"` // what stands in the way, or surprises
}

// Token says whether a token for gated models can be seen, never what it is.
type Token struct {
	Visible bool   `json:"visible"`
	Source  string `json:"source,omitempty"` // "HF_TOKEN", or the file
}

// A ModelItem is one model, and the way to it.
type ModelItem struct {
	Repo         string   `json:"repo"`
	Revision     string   `json:"revision"`
	Gated        bool     `json:"gated"`
	Environments []string `json:"environments"` // that need it
	State        string   `json:"state"`        // "complete", "partial", "damaged", "absent"; "unknown" where nobody could look
	Found        string   `json:"found"`        // the state in words
	Verified     bool     `json:"verified"`     // complete, every file hashed and not touched since
	Size         int64    `json:"size"`         // bytes that the manifest says it takes; 0 where it does not
	Here         int64    `json:"here"`         // bytes that are there
	Download     int64    `json:"download"`     // bytes that lack; -1 where that is not known
	Path         string   `json:"path"`         // of its folder, as facts spell it
	Page         string   `json:"page"`         // address of its page
	Hub          HubTool  `json:"hub"`
	// Faults are what is damaged, each with what mends it.
	Faults []ModelFault `json:"faults,omitempty"`
}

// A ModelFault is one thing that is damaged, in words.
type ModelFault struct {
	Found  string `json:"found"`
	Remedy string `json:"remedy"`
}

// A HubTool is the program of huggingface-hub in the environment that fetches a model.
// Its words are those of one command each; nil where no version is known.
type HubTool struct {
	Environment string   `json:"environment"`
	Version     string   `json:"version,omitempty"`
	Source      string   `json:"source"` // "installed", "locked", "pinned", "" where it has none
	Build       []string `json:"build"`  // the environment, where the version is not installed
	Login       []string `json:"login,omitempty"`
	WhoAmI      []string `json:"whoami,omitempty"`
	Download    []string `json:"download,omitempty"`
	Verify      []string `json:"verify,omitempty"`
}

// ModelsJSON writes them as one document.
func ModelsJSON(w io.Writer, m Models) error {
	return JSON(w, struct {
		Version int `json:"version"`
		Models
	}{Version, m})
}

// PrintModels prints them for people, each with its steps in order. Commands stand on a
// line of their own, to be copied.
func PrintModels(w io.Writer, m Models, o Options) error {
	p := newPage(w, o)
	where := m.Cache
	if m.Place != m.Cache {
		where += " -> " + m.Place
	}
	rows := [][2]string{{"models lie in", where + " (HF_HUB_CACHE inside the environment)"}}
	if m.Free >= 0 {
		rows = append(rows, [2]string{"free there", bytesize.Format(m.Free)})
	}
	if m.Download > 0 {
		rows = append(rows, [2]string{"to download", bytesize.Format(m.Download)})
	}
	p.table(0, rows)
	if m.Free >= 0 && m.Download > m.Free {
		p.hang(0, red, "not enough: ", bytesize.Format(m.Download-m.Free)+" are missing for all of them")
	}
	for _, item := range m.Items {
		p.blank()
		p.model(item, m.Token)
	}
	if len(m.Notes) > 0 {
		p.blank()
	}
	p.notes(m.Notes)
	return p.close()
}

var modelColors = map[string]color{
	string(facts.ModelComplete): green, string(facts.ModelDamaged): red, string(facts.ModelPartial): yellow,
}

// model prints what is there of one model, and what is still to be done.
func (p *page) model(m ModelItem, token Token) {
	p.raw(p.paint(bold, Escape(m.Repo)) + "  " + p.paint(modelColors[m.State], Escape(m.Found)) + "\n")
	rows := [][2]string{{"revision", m.Revision}}
	if len(m.Environments) > 0 {
		rows = append(rows, [2]string{"for", strings.Join(m.Environments, ", ")})
	}
	if m.Size > 0 {
		rows = append(rows, [2]string{"size", bytesize.Format(m.Size)})
	}
	p.table(2, append(rows, [2]string{"place", m.Path}))
	switch {
	case m.State != string(facts.ModelComplete):
		p.getting(m, token)
	case !m.Verified && m.Hub.Verify != nil:
		p.line(2, "prove what is there:")
		p.shell(m.Hub.Verify)
	}
	p.line(2, "load it without the network (HF_HUB_OFFLINE=1), always with its revision:")
	p.raw("      " + Escape(fmt.Sprintf("from_pretrained(%q, revision=%q)", m.Repo, m.Revision)) + "\n")
}

// getting prints the steps that bring a model, in order.
func (p *page) getting(m ModelItem, token Token) {
	step := 0
	next := func(format string, args ...any) {
		step++
		p.hang(2, plain, fmt.Sprintf("%d. ", step), fmt.Sprintf(format, args...))
	}
	switch {
	case m.Hub.Environment == "":
		next("the manifest has no environment to download with: add one that has huggingface-hub among its packages")
	case m.Hub.Source == "":
		next("environment %s has no huggingface-hub, which downloads: add {name: huggingface-hub, version: …} to its packages in the manifest, run `reconcile lock`, then", m.Hub.Environment)
		p.shell(m.Hub.Build)
	case m.Hub.Source != "installed":
		next("build environment %s first; huggingface-hub %s is %s for it", m.Hub.Environment, m.Hub.Version, m.Hub.Source)
		p.shell(m.Hub.Build)
	}
	if m.Gated {
		next("accept the licence, logged in at huggingface.co; being let in may take a while: %s", m.Page)
		next("make a token that may read gated repositories (of type Read, or fine-grained with that right): https://huggingface.co/settings/tokens")
		switch {
		case m.Hub.Login == nil:
		case token.Visible:
			next("a token is visible here (%s); whose it is:", token.Source)
			p.shell(m.Hub.WhoAmI)
		default:
			next("no token is visible here; give this machine yours, or set HF_TOKEN:")
			p.shell(m.Hub.Login)
		}
	}
	for _, f := range m.Faults { // also where nothing is there to download with
		next("%s: %s", f.Found, f.Remedy)
	}
	if m.Hub.Download == nil {
		return
	}
	next("download it to this machine, huggingface-hub %s:", m.Hub.Version)
	p.shell(m.Hub.Download)
	if m.Gated {
		p.line(5, "401 is no token, or one that is not valid; 403 is a licence that is not granted yet, or a token without the right to gated repositories.")
	}
	next("prove what arrived:")
	p.shell(m.Hub.Verify)
}

// shell prints a command for a shell, on one line however long it is.
func (p *page) shell(words []string) {
	if len(words) > 0 {
		p.raw("      " + p.paint(cyan, Escape(resources.ShellJoin(words...))) + "\n")
	}
}
