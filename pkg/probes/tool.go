package probes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// isToolName reports whether a text is a valid program name.
func isToolName(s string) bool {
	const letters, more = "abcdefghijklmnopqrstuvwxyz", "0123456789_-"
	return s != "" && len(s) <= 32 && strings.Trim(s[:1], letters) == "" && strings.Trim(s, letters+more) == ""
}

// tool finds a helper program: the pinned one in the store, else the first
// on PATH and in the usual folders whose version can be read from files, else the first
// without a version, else the first that cannot be used, with Refused.
//
// A program in the store is compared with the digest that it must have, and refused if it
// differs. It is compared again when it is started.
func (p *Prober) tool(ctx context.Context, name string) (facts.Tool, error) {
	none := facts.Tool{Name: name}
	if !isToolName(name) {
		return none, fmt.Errorf("%q is not a tool name", name)
	}
	if own := p.ownTool(ctx, name); own.Path != "" {
		return own, nil
	}
	if name == "conda" || name == "mamba" {
		if t := p.condaTool(name); t.Path != "" {
			return t, nil
		}
	}
	best := none
	for _, dir := range p.toolDirs() {
		t, ok := p.machineTool(name, dir)
		switch {
		case !ok:
		case t.Refused == "" && t.Version != "":
			return t, nil
		case best.Path == "", best.Refused != "" && t.Refused == "":
			best = t
		}
	}
	return best, nil
}

// ownTool returns a pinned program that the store has.
func (p *Prober) ownTool(ctx context.Context, name string) facts.Tool {
	none := facts.Tool{Name: name}
	if p.PinnedTool == nil {
		return none
	}
	host, err := p.host()
	if err != nil {
		return none
	}
	t := p.PinnedTool(name, p.store, host)
	if t.Path == "" {
		return none
	}
	f, err := rawfile.OpenFile(t.Path, unix.O_NOFOLLOW)
	if rawfile.IsAbsent(err) {
		return none
	}
	if err != nil {
		t.Refused = t.Path + ": " + rawfile.Reason(err)
		return t
	}
	defer f.Close()
	switch sum, err := rawfile.SHA256(ctx, f); {
	case err != nil:
		t.Refused = t.Path + ": " + rawfile.Reason(err)
	case t.SHA256 != sum:
		t.Refused = t.Path + " was changed or is damaged"
	}
	return t
}

// toolDirs lists the folders in which programs are searched.
func (p *Prober) toolDirs() []string {
	dirs := p.pathDirs()
	for _, dir := range []string{p.below(".local/bin"), p.below(".cargo/bin"), p.sys("/opt/homebrew/bin"), p.sys("/usr/local/bin")} {
		if dir != "" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// programAt returns the path of a program with links resolved, or false if it is not
// executable or is inside the project.
func (p *Prober) programAt(exe string) (real string, ok bool) {
	real, err := filepath.EvalSymlinks(exe)
	if err != nil || p.inProject(exe) {
		return "", false
	}
	info, err := os.Stat(real)
	return real, err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// machineTool reads a program in one directory. It returns false for scripts, which may be
// shims of version managers.
func (p *Prober) machineTool(name, dir string) (facts.Tool, bool) {
	t := facts.Tool{Name: name, Path: filepath.Join(dir, name), Source: "path"}
	real, ok := p.programAt(t.Path)
	if !ok {
		return t, false
	}
	b, err := readBinary(real)
	if err != nil || b.format != p.format() {
		return t, false
	}
	switch {
	case b.arch(p.arch) != p.arch:
		t.Refused = fmt.Sprintf("%s is for %s, this machine is %s", t.Path, b.arch(p.arch), p.arch)
	case b.loader != "" && !exists(p.sys(b.loader)):
		t.Refused = fmt.Sprintf("%s needs %s, which is missing", t.Path, b.loader)
	case writableByOthers(real):
		t.Refused = "any user of this machine can change " + t.Path
	}
	t.Version = p.toolVersion(name, real)
	return t, true
}

// toolVersion finds the version of a program without running it: in the metadata of its
// wheel, the folder names of Homebrew, mise and asdf, or the receipt of uv's installer.
func (p *Prober) toolVersion(name, real string) string {
	bin := filepath.Dir(real)
	for _, info := range glob(filepath.Dir(bin), path.Join("lib/python3.*/site-packages", name+"-*.dist-info")) {
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
	b, err := readSmall(filepath.Join(config, name, name+"-receipt.json"))
	if err != nil {
		return ""
	}
	version, prefix := parseReceipt(b)
	if prefix, err := filepath.EvalSymlinks(prefix); err != nil || prefix != bin && filepath.Join(prefix, "bin") != bin {
		return "" // of another installation
	}
	return version
}

var plainVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`) })

// parseReceipt returns the version and the folder in the receipt of an installer.
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

// condaTool finds conda or mamba, which are scripts of their own installation, or for
// mamba 2 a program: on PATH, in the variables of an activated shell, or in the usual
// folders. The version is read from conda-meta of the installation.
func (p *Prober) condaTool(name string) facts.Tool {
	var candidates []string
	for _, dir := range p.pathDirs() {
		candidates = append(candidates, filepath.Join(dir, name))
	}
	for _, variable := range []string{"CONDA_EXE", "MAMBA_EXE"} {
		if exe := p.environ[variable]; filepath.IsAbs(exe) && filepath.Base(exe) == name {
			candidates = append(candidates, exe)
		}
	}
	for _, root := range p.condaRoots() {
		candidates = append(candidates, filepath.Join(root, "bin", name), filepath.Join(root, "condabin", name))
	}
	best := facts.Tool{Name: name}
	for _, exe := range candidates {
		real, ok := p.programAt(exe)
		if !ok {
			continue
		}
		t := facts.Tool{Name: name, Path: exe, Source: "path", Version: condaPackageVersion(filepath.Dir(filepath.Dir(real)), name)}
		if t.Version == "" { // not in an installation: a shim of a version manager
			continue
		}
		if !writableByOthers(real) {
			return t
		}
		if best.Path == "" {
			best = t
			best.Refused = "any user of this machine can change " + exe
		}
	}
	return best
}

// condaPackageVersion returns the version of a package of a conda installation, from the
// name of its record: conda-24.9.2-py312h7900ff3_0.json.
func condaPackageVersion(root, name string) string {
	for _, record := range glob(root, "conda-meta/"+name+"-[0-9]*.json") {
		rest := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(record), ".json"), name+"-")
		version, build, ok := strings.Cut(rest, "-")
		if ok && build != "" && !strings.Contains(build, "-") {
			return version
		}
	}
	return ""
}

// condaRoots lists the usual folders of conda installations.
func (p *Prober) condaRoots() []string {
	var roots []string
	if p.home != "" {
		for _, name := range []string{"miniforge3", "mambaforge", "miniconda3", "anaconda3"} {
			roots = append(roots, p.below(name))
		}
	}
	return append(roots, p.sys("/opt/conda"), p.sys("/opt/miniforge3"), p.sys("/opt/miniconda3"))
}
