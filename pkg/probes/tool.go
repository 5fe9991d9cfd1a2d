package probes

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// isToolName reports whether a text names a program, and nothing else.
func isToolName(s string) bool {
	const letters, more = "abcdefghijklmnopqrstuvwxyz", "0123456789_-"
	return s != "" && len(s) <= 32 && strings.Trim(s[:1], letters) == "" && strings.Trim(s, letters+more) == ""
}

// tool finds a helper program: the newest complete one below .reconcile/tools,
// else the first on PATH and in the usual places whose version can be told from
// files, else the first at all, without a version.
//
// What lies below .reconcile/tools may have come with a clone. The fact carries
// the digest that its file "complete" states; the kind compares that with the one
// that we carry, and apply the program with it.
func (p *Prober) tool(name string) (facts.Tool, error) {
	none := facts.Tool{Name: name}
	if !isToolName(name) {
		return none, fmt.Errorf("%q is not the name of a tool", name)
	}
	own, err := p.ownTool(name)
	if err != nil || own.Path != "" {
		return own, err
	}
	if name == "conda" || name == "mamba" {
		if t := p.condaTool(name); t.Path != "" || t.Refused != "" {
			return t, nil
		}
	}
	var unknown, refused *facts.Tool
	for _, dir := range p.toolDirs() {
		t, ok := p.machineTool(name, dir)
		switch {
		case !ok:
		case t.Refused == "" && t.Version != "":
			return t, nil
		case t.Refused == "" && unknown == nil:
			unknown = &t
		case t.Refused != "" && refused == nil:
			refused = &t
		}
	}
	switch {
	case unknown != nil:
		return *unknown, nil
	case refused != nil:
		return *refused, nil
	}
	return none, nil
}

// ownTool returns the newest helper below .reconcile/tools that was completed.
func (p *Prober) ownTool(name string) (facts.Tool, error) {
	none := facts.Tool{Name: name}
	dir := layout.Tools(p.platform)
	entries, err := os.ReadDir(p.abs(dir))
	if err != nil {
		if isGone(err) {
			err = nil
		}
		return none, err
	}
	var versions []string
	for _, e := range entries {
		if v, ok := strings.CutPrefix(e.Name(), name+"-"); ok && e.IsDir() {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, func(a, b string) int { return compareVersions(b, a) })
	for _, v := range versions {
		folder := p.abs(layout.Tool(p.platform, name, v))
		exe := filepath.Join(folder, "bin", name)
		if wheels := glob(folder, "*.whl"); len(wheels) == 1 {
			exe = wheels[0] // one that stays packed
		}
		b, err := os.ReadFile(layout.ToolComplete(folder))
		if err != nil || !exists(exe) {
			continue
		}
		t := facts.Tool{Name: name, Path: exe, Version: v, Source: "reconcile"}
		if err := t.SHA256.UnmarshalText([]byte(strings.TrimSpace(string(b)))); err != nil {
			t.Refused = "its file complete is damaged"
		}
		return t, nil
	}
	return none, nil
}

// toolDirs lists where programs of the machine are looked for.
func (p *Prober) toolDirs() []string {
	dirs := p.pathDirs()
	for _, dir := range []string{p.below(".local/bin"), p.below(".cargo/bin"), p.sys("/opt/homebrew/bin"), p.sys("/usr/local/bin")} {
		if dir != "" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// programAt returns where the links to a program lead; false for what cannot be started,
// and for what lies in the project, which nobody on this machine installed.
func (p *Prober) programAt(exe string) (real string, ok bool) {
	real, err := filepath.EvalSymlinks(exe)
	if err != nil || within(real, p.root) {
		return "", false
	}
	info, err := os.Stat(real)
	return real, err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// machineTool looks at a program in one directory. Scripts are shims of version
// managers, which may do anything.
func (p *Prober) machineTool(name, dir string) (facts.Tool, bool) {
	t := facts.Tool{Name: name, Path: filepath.Join(dir, name), Source: "path"}
	real, ok := p.programAt(t.Path)
	if !ok {
		return t, false
	}
	b, err := readBinary(real)
	switch {
	case err != nil:
		return t, false
	case b.format != p.format():
		return t, false
	case b.arch(p.arch) != p.arch:
		t.Refused = fmt.Sprintf("%s is for %s, this machine is %s", t.Path, b.arch(p.arch), p.arch)
	case b.loader != "" && !exists(p.sys(b.loader)):
		t.Refused = fmt.Sprintf("%s needs %s, which is not there", t.Path, b.loader)
	case othersWrite(real):
		t.Refused = fmt.Sprintf("any user of this machine can change %s", t.Path)
	}
	t.Version = p.toolVersion(name, real)
	return t, true
}

// toolVersion finds the version of a program without running it: the metadata of
// the wheel that brought it, the folders that Homebrew, mise and asdf name by
// version, or the receipt of uv's own installer.
func (p *Prober) toolVersion(name, real string) string {
	bin := filepath.Dir(real)
	prefix := filepath.Dir(bin)
	for _, info := range glob(prefix, path.Join("lib/python3.*/site-packages", name+"-*.dist-info")) {
		if v := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(info), name+"-"), ".dist-info"); plainVersion().MatchString(v) {
			return v
		}
	}
	parts := strings.Split(real, "/")
	for i := range len(parts) - 2 {
		if (parts[i] == "Cellar" || parts[i] == "installs") && parts[i+1] == name && plainVersion().MatchString(parts[i+2]) {
			return parts[i+2]
		}
	}
	config := p.dirVariable("XDG_CONFIG_HOME", p.below(".config"))
	b, err := os.ReadFile(filepath.Join(config, name, name+"-receipt.json"))
	if err != nil {
		return ""
	}
	version, at := parseReceipt(b)
	if at, err := filepath.EvalSymlinks(at); err != nil || at != bin && filepath.Join(at, "bin") != bin {
		return "" // of another one
	}
	return version
}

var plainVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`) })

// parseReceipt returns the version and the place that an installer noted.
func parseReceipt(b []byte) (version, prefix string) {
	var doc struct {
		Version string `json:"version"`
		Prefix  string `json:"install_prefix"`
	}
	if json.Unmarshal(b, &doc) != nil || !plainVersion().MatchString(doc.Version) || !filepath.IsAbs(doc.Prefix) {
		return "", ""
	}
	return doc.Version, doc.Prefix
}
