package packages

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rattler"
)

// The document of CycloneDX 1.6, as far as locks have content for it.
type (
	bom struct {
		Schema       string          `json:"$schema"`
		Format       string          `json:"bomFormat"`
		Spec         string          `json:"specVersion"`
		Serial       string          `json:"serialNumber,omitempty"`
		Version      int             `json:"version"`
		Metadata     bomMetadata     `json:"metadata"`
		Components   []bomComponent  `json:"components"`
		Dependencies []bomDependency `json:"dependencies,omitempty"`
	}
	bomMetadata struct {
		Timestamp  string         `json:"timestamp,omitempty"`
		Lifecycles []bomLifecycle `json:"lifecycles"`
		Tools      bomTools       `json:"tools"`
		Component  bomComponent   `json:"component"`
		Properties []bomProperty  `json:"properties"`
	}
	bomLifecycle struct {
		Phase string `json:"phase"`
	}
	bomTools struct {
		Components []bomComponent `json:"components"`
	}
	bomComponent struct {
		Type       string         `json:"type"`
		Ref        string         `json:"bom-ref,omitempty"`
		Name       string         `json:"name"`
		Version    string         `json:"version,omitempty"`
		Hashes     []bomHash      `json:"hashes,omitempty"`
		Licenses   []bomLicense   `json:"licenses,omitempty"`
		PURL       string         `json:"purl,omitempty"`
		References []bomReference `json:"externalReferences,omitempty"`
		Properties []bomProperty  `json:"properties,omitempty"`
	}
	bomHash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	bomLicense struct {
		License    *bomLicenseName `json:"license,omitempty"`
		Expression string          `json:"expression,omitempty"`
	}
	bomLicenseName struct {
		Name string `json:"name"`
	}
	bomReference struct {
		Type   string    `json:"type"`
		URL    string    `json:"url"`
		Hashes []bomHash `json:"hashes,omitempty"`
	}
	bomProperty struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	bomDependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
)

// cyclonedx writes the packages as CycloneDX 1.6. The document depends on the manifest, the lock
// and the options alone, except for licences of Python packages, which only wheels in the store
// have. The serial number is a digest of the rest, and there is a timestamp only if
// SOURCE_DATE_EPOCH gives one.
func (x *exporter) cyclonedx() error {
	root := x.project.Manifest.Project + "/" + x.Name
	doc := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata: bomMetadata{
			Lifecycles: []bomLifecycle{{"pre-build"}},
			Tools:      bomTools{[]bomComponent{{Type: "application", Name: "reconcile", Version: x.project.Config.Program}}},
			Component:  bomComponent{Type: "application", Ref: root, Name: x.project.Manifest.Project},
			Properties: []bomProperty{
				{"reconcile:command", command + " --format " + x.o.Format}, {"reconcile:environment", x.Name}, {"reconcile:lock", x.locked.Path},
				{"reconcile:platforms", strings.Join(slices.Sorted(slices.Values(x.locked.Platforms)), ", ")}, {"reconcile:python", x.Python},
			},
		},
		Components: []bomComponent{},
	}
	if text := x.project.Config.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
			doc.Metadata.Timestamp = time.Unix(seconds, 0).UTC().Format(time.RFC3339)
		}
	}
	refs := map[string][]string{} // of the packages of a Graph, by key
	add := func(key string, c bomComponent) {
		refs[key] = append(refs[key], c.Ref)
		doc.Components = append(doc.Components, c)
	}
	without := 0
	for _, p := range x.locked.Packages {
		c := x.component(p)
		if c.Licenses == nil {
			without++
		}
		add(p.Name, c)
	}
	if x.Locked.Conda != nil {
		for i := range x.Locked.Conda.Packages {
			c := &x.Locked.Conda.Packages[i]
			one := condaComponent(&c.Package)
			if (x.o.Platform == "" || c.Platform == x.o.Platform) && !slices.Contains(refs[condaKey(c.Name)], one.Ref) {
				add(condaKey(c.Name), one)
			}
		}
	}
	slices.SortFunc(doc.Components, func(a, b bomComponent) int { return strings.Compare(a.Ref, b.Ref) })
	if x.isComplete() {
		doc.Dependencies = x.bomDependencies(root, refs)
	} else {
		x.note("the lock has no dependencies of its packages; `reconcile lock` adds them")
	}
	if without > 0 {
		x.note("%s no known licence: licences are in wheels, and this machine has only those that it installed", plural.Count(without, "Python package")+map[bool]string{true: " has", false: " have"}[without == 1])
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // UUID version 8, of RFC 9562
	doc.Serial = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(doc)
	x.b.Write(b.Bytes())
	return err
}

// bomDependencies returns the dependencies of all components, sorted. refs are the components of
// each package.
func (x *exporter) bomDependencies(root string, refs map[string][]string) (list []bomDependency) {
	g := x.graph(x.o.Platform)
	all := func(keys []string) (to []string) {
		for _, key := range keys {
			to = append(to, refs[key]...)
		}
		slices.Sort(to)
		return slices.Compact(to)
	}
	list = append(list, bomDependency{root, all(g.Roots)})
	for key, p := range g.Packages {
		for _, ref := range refs[key] {
			list = append(list, bomDependency{ref, all(p.Dependencies)})
		}
	}
	slices.SortFunc(list, func(a, b bomDependency) int { return strings.Compare(a.Ref, b.Ref) })
	return list
}

// component returns a Python package. Its reference, the package URL, differs from those of all
// others.
func (x *exporter) component(p lock.Package) bomComponent {
	qualifiers := url.Values{}
	for _, index := range x.indexes() {
		if index.name == p.Index {
			qualifiers.Set("repository_url", index.url)
		}
	}
	c := bomComponent{Type: "library", Name: p.Name, Version: p.Version}
	reference := direct(p)
	switch {
	case strings.HasPrefix(reference, "git+"):
		qualifiers.Set("vcs_url", reference)
		c.References = append(c.References, bomReference{Type: "vcs", URL: p.Build.Git})
	case reference != "":
		qualifiers.Set("download_url", reference)
	}
	digest := func(sum fmt.Stringer) []bomHash { return []bomHash{{"SHA-256", sum.String()}} }
	for _, w := range p.Wheels {
		c.References = append(c.References, bomReference{"distribution", cmp.Or(reference, url.PathEscape(w.File)), digest(w.SHA256)})
	}
	if b := p.Build; b != nil && !b.SHA256.IsZero() {
		c.References = append(c.References, bomReference{"distribution", cmp.Or(reference, url.PathEscape(b.File)), digest(b.SHA256)})
	}
	if sums := hashes(p); len(sums) == 1 {
		c.Hashes = []bomHash{{"SHA-256", sums[0]}}
	}
	if p.Build != nil {
		c.Properties = append(c.Properties, bomProperty{"reconcile:source", sourceText(p)})
	}
	c.Licenses = x.licences(p)
	c.PURL = "pkg:pypi/" + p.Name + "@" + escapeVersion(p.Version) + query(qualifiers)
	c.Ref = c.PURL
	return c
}

// licences returns the licence of a package whose wheel is in the store, nil if it is unknown.
func (x *exporter) licences(p lock.Package) (list []bomLicense) {
	expression, names := pyenv.Licence(x.project.StoredMetadata(p))
	if expression != "" {
		return []bomLicense{{Expression: expression}}
	}
	for _, name := range names {
		list = append(list, bomLicense{License: &bomLicenseName{name}})
	}
	return list
}

func condaComponent(p *rattler.Package) bomComponent {
	kind := "conda"
	if strings.HasSuffix(p.File, ".tar.bz2") {
		kind = "tar.bz2"
	}
	qualifiers := url.Values{"build": {p.Build}, "channel": {p.Channel}, "subdir": {p.Subdir}, "type": {kind}}
	c := bomComponent{Type: "library", Name: p.Name, Version: p.Version, Hashes: []bomHash{{"SHA-256", p.SHA256}}}
	if p.License != "" {
		c.Licenses = []bomLicense{{License: &bomLicenseName{p.License}}}
	}
	c.PURL = "pkg:conda/" + p.Name + "@" + escapeVersion(p.Version) + query(qualifiers)
	c.Ref = c.PURL
	return c
}

// escapeVersion escapes a version for a package URL.
func escapeVersion(version string) string {
	return strings.ReplaceAll(url.QueryEscape(version), "+", "%20")
}

func query(qualifiers url.Values) string {
	if len(qualifiers) == 0 {
		return ""
	}
	return "?" + strings.ReplaceAll(qualifiers.Encode(), "+", "%20")
}
