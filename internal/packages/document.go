package packages

// A TreeDocument is a tree as JSON has it: the packages of the tree, each once.
type TreeDocument struct {
	Version     int        `json:"version"`
	Environment string     `json:"environment"`
	Lock        string     `json:"lock"`
	Platform    string     `json:"platform"`
	Invert      string     `json:"invert,omitempty"` // key of the package whose dependents are listed
	Roots       []string   `json:"roots"`            // keys of the packages of the first level
	Packages    []*Package `json:"packages"`         // in the order of the tree
}

// NewTreeDocument returns the document of a tree.
func NewTreeDocument(e *Environment, platform string, s TreeSelection, tree []Branch) *TreeDocument {
	d := &TreeDocument{Version: 1, Environment: e.Name, Lock: e.Locked.Path, Platform: platform, Roots: []string{}, Packages: []*Package{}}
	seen := map[string]bool{}
	var add func(list []Branch)
	add = func(list []Branch) {
		for i := range list {
			if !seen[list[i].Key()] {
				seen[list[i].Key()] = true
				d.Packages = append(d.Packages, list[i].Package)
			}
			add(list[i].Branches)
		}
	}
	for i := range tree {
		d.Roots = append(d.Roots, tree[i].Key())
	}
	if s.Invert != "" && len(d.Roots) > 0 {
		d.Invert = d.Roots[0]
	}
	add(tree)
	return d
}

// A ReasonDocument is a Reason as JSON has it.
type ReasonDocument struct {
	Version     int             `json:"version"`
	Environment string          `json:"environment"`
	Lock        string          `json:"lock"`
	Platform    string          `json:"platform,omitempty"` // "" for all
	Package     *Package        `json:"package"`
	Chains      []ChainDocument `json:"chains"`
	Builds      []string        `json:"builds,omitempty"` // packages whose builds need it
}

// A ChainDocument is a Chain as JSON has it.
type ChainDocument struct {
	Requests []Request `json:"requests"` // of the first package
	Path     []string  `json:"path"`     // keys
}

// NewReasonDocument returns the document of a reason.
func NewReasonDocument(e *Environment, platform string, r *Reason) *ReasonDocument {
	d := &ReasonDocument{Version: 1, Environment: e.Name, Lock: e.Locked.Path, Platform: platform, Package: r.Package, Chains: []ChainDocument{}, Builds: r.Builds}
	for _, c := range r.Chains {
		one := ChainDocument{Requests: append([]Request{}, c[0].Requested...)}
		for _, p := range c {
			one.Path = append(one.Path, p.Key())
		}
		d.Chains = append(d.Chains, one)
	}
	return d
}

// An ExportDocument is an Export as JSON has it.
type ExportDocument struct {
	Version     int      `json:"version"`
	Environment string   `json:"environment"`
	Format      string   `json:"format"`
	Platforms   []string `json:"platforms"`
	File        string   `json:"file,omitempty"`    // "" if none was written
	Content     string   `json:"content,omitempty"` // "" if a file was written
	Notes       []string `json:"notes"`             // what the format cannot express
}

// NewExportDocument returns the document of an export. file is the name of the written file, ""
// for none.
func NewExportDocument(e *Environment, x *Export, o ExportOptions, file string) *ExportDocument {
	d := &ExportDocument{Version: 1, Environment: e.Name, Format: o.Format, Platforms: e.Locked.Platforms, File: file, Notes: append([]string{}, x.Notes...)}
	if o.Platform != "" {
		d.Platforms = []string{o.Platform}
	}
	if file == "" {
		d.Content = string(x.Content)
	}
	return d
}
