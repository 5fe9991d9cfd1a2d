package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Models are the models of a manifest on one machine.
type Models struct {
	Environment string `json:"environment"` // of this machine; "" if the manifest has none
	Cache       string `json:"cache"`       // HF_HUB_CACHE inside the environment, absolute
	Place       string `json:"place"`       // the directory itself; Cache is a link to it if the host has another path
	Free        int64  `json:"free"`        // bytes at Place; -1 if unknown
	Download    int64  `json:"download"`    // missing bytes, as far as known
	Token       Token  `json:"token"`
	// Items are the models of the environment, or all models of the manifest.
	Items []ModelItem `json:"models"`
	Notes []string    `json:"notes,omitempty"`
}

// Token reports whether a token for gated models is visible, without its value.
type Token struct {
	Visible bool   `json:"visible"`
	Source  string `json:"source,omitempty"` // "HF_TOKEN", or the file
}

// A ModelItem is one model with the commands that download it.
type ModelItem struct {
	Repo         string   `json:"repo"`
	Revision     string   `json:"revision"`
	Gated        bool     `json:"gated"`
	Environments []string `json:"environments"` // that need it
	State        string   `json:"state"`        // "complete", "partial", "damaged", "absent"; "unknown" if it could not be probed
	Found        string   `json:"found"`        // the state in words
	Verified     bool     `json:"verified"`     // complete, with every file hashed and unchanged since
	Size         int64    `json:"size"`         // bytes by the manifest; 0 if it has no size
	Here         int64    `json:"here"`         // bytes in the cache
	Download     int64    `json:"download"`     // missing bytes; -1 if unknown
	Path         string   `json:"path"`         // of its folder, as in facts
	Page         string   `json:"page"`         // URL
	Hub          HubTool  `json:"hub"`
	// Faults are the damaged files with their remedies.
	Faults []ModelFault `json:"faults,omitempty"`
}

// A ModelFault is one damage.
type ModelFault struct {
	Found  string `json:"found"`
	Remedy string `json:"remedy"`
}

// A HubTool is the huggingface-hub program of an environment. Each list of strings is the
// argument vector of one command, nil if no version is known.
type HubTool struct {
	Environment string   `json:"environment"`
	Version     string   `json:"version,omitempty"`
	Source      string   `json:"source"` // "installed", "locked", "pinned", "" without a version
	Build       []string `json:"build"`  // builds the environment if the version is not installed
	Login       []string `json:"login,omitempty"`
	WhoAmI      []string `json:"whoami,omitempty"`
	Download    []string `json:"download,omitempty"`
	Verify      []string `json:"verify,omitempty"`
}

// ModelsJSON writes models as one document.
func ModelsJSON(w io.Writer, m Models) error {
	return JSON(w, struct {
		Version int `json:"version"`
		Models
	}{Version, m})
}

// PrintModels prints models with the steps to get each. Commands are on lines of their
// own, to be copied.
func PrintModels(w io.Writer, m Models, o Options) error {
	p := newPage(w, o)
	where := m.Cache
	if m.Place != m.Cache {
		where += " -> " + m.Place
	}
	rows := [][2]string{{"cache", where + " (HF_HUB_CACHE inside the environment)"}}
	if m.Free >= 0 {
		rows = append(rows, [2]string{"free", bytesize.Format(m.Free)})
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

func modelColor(state string) color {
	switch facts.ModelState(state) {
	case facts.ModelComplete:
		return green
	case facts.ModelDamaged:
		return red
	case facts.ModelPartial:
		return yellow
	}
	return plain
}

func (p *page) model(m ModelItem, token Token) {
	p.raw(p.paint(bold, Escape(m.Repo)) + "  " + p.paint(modelColor(m.State), Escape(m.Found)) + "\n")
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
		p.line(2, "verify the files:")
		p.shell(m.Hub.Verify)
	}
	p.line(2, "load it without the network (HF_HUB_OFFLINE=1), always with its revision:")
	p.raw("      " + Escape(fmt.Sprintf("from_pretrained(%q, revision=%q)", m.Repo, m.Revision)) + "\n")
}

// getting prints the steps to download a model.
func (p *page) getting(m ModelItem, token Token) {
	step := 0
	next := func(format string, args ...any) {
		step++
		p.hang(2, plain, fmt.Sprintf("%d. ", step), fmt.Sprintf(format, args...))
	}
	switch {
	case m.Hub.Environment == "":
		next("the manifest has no environment to download with: add one with the package huggingface-hub")
	case m.Hub.Source == "":
		next("environment %s has no huggingface-hub, which downloads models: add {name: huggingface-hub, version: …} to its packages in the manifest, run `reconcile lock`, then", m.Hub.Environment)
		p.shell(m.Hub.Build)
	case m.Hub.Source != "installed":
		next("build environment %s first; huggingface-hub %s is %s for it", m.Hub.Environment, m.Hub.Version, m.Hub.Source)
		p.shell(m.Hub.Build)
	}
	if m.Gated {
		next("accept the licence while logged in at huggingface.co; access may take a while: %s", m.Page)
		next("create a token that can read gated repositories (of type Read, or fine-grained with that permission): https://huggingface.co/settings/tokens")
		switch {
		case m.Hub.Login == nil:
		case token.Visible:
			next("a token is visible here (%s); its owner:", token.Source)
			p.shell(m.Hub.WhoAmI)
		default:
			next("no token is visible here; log in, or set HF_TOKEN:")
			p.shell(m.Hub.Login)
		}
	}
	for _, f := range m.Faults {
		next("%s: %s", f.Found, f.Remedy)
	}
	if m.Hub.Download == nil {
		return
	}
	next("download it to this machine, huggingface-hub %s:", m.Hub.Version)
	p.shell(m.Hub.Download)
	if m.Gated {
		p.line(5, "401: there is no valid token. 403: the licence is not granted yet, or the token has no permission for gated repositories.")
	}
	next("verify the download:")
	p.shell(m.Hub.Verify)
}

// shell prints a command on one line, however long it is.
func (p *page) shell(words []string) {
	if len(words) > 0 {
		p.raw("      " + p.paint(cyan, Escape(resources.ShellJoin(words...))) + "\n")
	}
}
