package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/indexerror"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/conda"
)

// system names operating system and platform.
func (p *patient) system() []report.Finding {
	h, ok := facts.Find[facts.Host](p.facts, facts.HostKey)
	if !ok {
		return unknown("%s", p.why(facts.HostKey))
	}
	return well("%s", strings.TrimPrefix(h.OSVersion+", ", ", ")+h.Platform)
}

// oldestGlibc is what wheels of torch 2.1 and nearly all others of their time need:
// manylinux2014.
const oldestGlibc = "2.17"

// libc says whether wheels can run with the C library.
func (p *patient) libc() []report.Finding {
	h, ok := facts.Find[facts.Host](p.facts, facts.HostKey)
	switch {
	case !ok || h.OS != "linux":
		return nil // nothing to choose from
	case h.Libc.Name == "":
		return unknown("no loader of glibc or musl was found")
	case h.Libc.Name == "musl":
		return doubtful("use a system with glibc, such as Debian or Ubuntu", "musl %s: torch and its CUDA libraries have no wheels for it", h.Libc.Version)
	case before(h.Libc.Version, oldestGlibc):
		return sick("use a newer system, or a container of one", "glibc %s; wheels need %s or newer", h.Libc.Version, oldestGlibc)
	}
	return well("%s %s", h.Libc.Name, h.Libc.Version)
}

// before reports whether one version is older than another; false where one of them
// is no version.
func before(a, b string) bool {
	x, errX := semver.NewVersion(a)
	y, errY := semver.NewVersion(b)
	return errX == nil && errY == nil && x.LessThan(y)
}

// container says what this machine is in, as that decides who mends its driver.
func (p *patient) container() []report.Finding {
	h, ok := facts.Find[facts.Host](p.facts, facts.HostKey)
	switch {
	case !ok:
		return nil
	case h.Container == "":
		return well("none seen")
	case h.Container == "wsl":
		return well("WSL: the NVIDIA driver is that of Windows; none is installed inside")
	}
	return well("%s: the NVIDIA driver is that of its host", h.Container)
}

// manifestRead says whether there is a manifest that can be read.
func (p *patient) manifestRead() []report.Finding {
	if p.manifest != nil {
		return well("%s, %s", p.name, plural.Count(len(p.manifest.Environments), "environment"))
	}
	problems := diag.Problems(p.unread)
	if len(problems) == 0 {
		return unknown("it was not read")
	}
	found := ofProblem(problems[0])
	if problems[0].Code == "manifest.absent" {
		found[0].State = report.Warn
		return found
	}
	if n := len(problems) - 1; n > 0 {
		found[0].Found += fmt.Sprintf("\nand %d more; `reconcile validate` lists them", n)
	}
	return found
}

// chosen says which environment is for this machine.
func (p *patient) chosen() []report.Finding {
	switch problems := diag.Problems(p.unchosen); {
	case p.manifest == nil:
		return omitted("no manifest")
	case len(problems) > 0:
		return ofProblem(problems[0])
	case p.env == nil:
		return omitted("%s has no environment", p.name)
	}
	return well("%s: type %s, Python %s", p.env.Name, p.env.Type, p.env.Python)
}

// python looks for the interpreter of the environment, or for any where none is
// chosen.
func (p *patient) python() []report.Finding {
	if p.env != nil && p.env.Type != "conda" { // conda brings its own; any line runs the helpers
		return p.pythonLine(facts.PythonKey(p.env.Python))
	}
	var found []report.Finding
	keys := p.facts.Keys()
	slices.SortStableFunc(keys, func(a, b facts.Key) int { return len(a.Name) - len(b.Name) }) // 3.9 before 3.10
	for _, k := range keys {
		if f, ok := facts.Find[facts.Pythons](p.facts, k); ok && len(f.Found) > 0 {
			found = append(found, p.pythonLine(k)...)
		}
	}
	if len(found) == 0 {
		return doubtful("`reconcile apply` brings one for an environment of a manifest", "there is none on this machine")
	}
	return found
}

func (p *patient) pythonLine(k facts.Key) []report.Finding {
	f, ok := facts.Find[facts.Pythons](p.facts, k)
	if !ok {
		return called("Python "+k.Name, unknown("%s", p.why(k)))
	}
	if i, ok := f.Usable(); ok {
		return called("Python "+k.Name, well("%s, %s (%s)", i.Version, i.Path, i.Source))
	}
	remedy := "`reconcile apply` brings one where it knows a build for this platform; else install Python " + k.Name
	if len(f.Found) == 0 {
		return called("Python "+k.Name, doubtful(remedy, "there is none on this machine"))
	}
	var refused []string
	for _, i := range f.Found {
		refused = append(refused, i.Path+": "+i.Refused)
	}
	return called("Python "+k.Name, doubtful(remedy, "none can be used\n%s", strings.Join(refused, "\n")))
}

// called gives findings a name of their own.
func called(name string, list []report.Finding) []report.Finding {
	for i := range list {
		list[i].Name = name
	}
	return list
}

// uv looks for the installer of packages.
func (p *patient) uv() []report.Finding {
	k := facts.ToolKey("uv")
	t, ok := facts.Find[facts.Tool](p.facts, k)
	switch {
	case !ok:
		return unknown("%s", p.why(k))
	case t.Refused != "":
		return doubtful("install another uv, or move this one away", "%s", t.Refused)
	case t.Path == "":
		return well("none; `reconcile apply` brings one where it knows a build for this platform, else uses pip")
	}
	return well("%s", toolText(t))
}

func toolText(t facts.Tool) string {
	if t.Version == "" {
		return t.Path + ", version not known"
	}
	return t.Version + ", " + t.Path
}

// conda looks for a client of conda.
func (p *patient) conda() []report.Finding {
	var found, reasons []string
	for _, name := range conda.Clients() {
		k := facts.ToolKey(name)
		t, ok := facts.Find[facts.Tool](p.facts, k)
		switch {
		case !ok:
			reasons = append(reasons, p.why(k))
		case t.Refused != "":
			reasons = append(reasons, t.Refused)
		case t.Path != "":
			found = append(found, name+" "+toolText(t))
		}
	}
	wanted := p.env != nil && p.env.Type == "conda"
	switch {
	case len(found) > 0:
		return well("%s", strings.Join(found, "\n"))
	case len(reasons) > 0 && wanted:
		return unknown("%s", strings.Join(withoutDoubles(reasons), "\n"))
	case wanted && p.env.Conda.Engine != "auto" && p.env.Conda.Engine != "rattler":
		return sick("install it and put it on PATH, or choose `engine: auto`", "there is no %s, which environment %s asks for", p.env.Conda.Engine, p.env.Name)
	case wanted:
		return well("none, and none is needed: `reconcile apply` brings py-rattler")
	}
	return omitted("none found, and nothing here needs one")
}

// usual is how much an environment with torch and one model take.
const usual = 28_000_000_000

// projectDisk looks at the file system of the project.
func (p *patient) projectDisk() []report.Finding {
	warn, fail := int64(0), int64(0)
	switch {
	case p.manifest == nil:
		warn = usual
	case p.manifest.Storage != nil && p.manifest.Storage.Path == ".":
		warn, fail = p.manifest.Storage.WarnBelow, p.manifest.Storage.FailBelow
	}
	return p.disk(facts.DiskKey("."), warn, fail)
}

// storageDisk looks at where the manifest wants room, if that is elsewhere.
func (p *patient) storageDisk() []report.Finding {
	if p.manifest == nil || p.manifest.Storage == nil || p.manifest.Storage.Path == "." {
		return nil
	}
	s := p.manifest.Storage
	return p.disk(facts.DiskKey(s.Path), s.WarnBelow, s.FailBelow)
}

// cacheDisk looks at where wheels are kept. On another file system they are copied,
// not linked, into environments.
func (p *patient) cacheDisk() []report.Finding {
	k := facts.DiskKey(layout.Cache("uv"))
	cache, ok := facts.Find[facts.Disk](p.facts, k)
	here, known := facts.Find[facts.Disk](p.facts, facts.DiskKey("."))
	if ok && known && cache.Device == here.Device && cache.Writable == here.Writable {
		return well("on the same file system")
	}
	return p.disk(k, 0, 0)
}

// fewInodes is what a single environment with torch takes, about.
const fewInodes = 50_000

// disk judges a file system by the room that it has for this user.
func (p *patient) disk(k facts.Key, warn, fail int64) []report.Finding {
	d, ok := facts.Find[facts.Disk](p.facts, k)
	if !ok {
		return unknown("%s", p.why(k))
	}
	text := fmt.Sprintf("%s free of %s (%s) at %s", bytesize.Format(d.Free), bytesize.Format(d.Total), d.FileSystem, p.place(k.Name))
	switch {
	case d.ReadOnly:
		return sick("mount it for writing; after a disk error linux remounts a file system so: dmesg", "the file system is read-only at %s", p.place(k.Name))
	case !d.Writable:
		return sick("change who owns the folder, or use another one", "this user may not write at %s", p.place(k.Name))
	case d.Free < fail:
		return sick("make room, or use another disk", "%s; the manifest fails below %s", text, bytesize.Format(fail))
	case d.FreeInodes >= 0 && d.FreeInodes < fewInodes:
		return doubtful("remove folders of very many small files", "%s, but %d inodes; an environment takes tens of thousands", text, d.FreeInodes)
	case d.Free < warn && p.manifest == nil:
		return doubtful("make room, or use another disk", "%s; an environment with torch and one model take about %s", text, bytesize.Format(usual))
	case d.Free < warn:
		return doubtful("make room, or use another disk", "%s; the manifest warns below %s", text, bytesize.Format(warn))
	}
	return well("%s", text)
}

// place is a path as a person finds it.
func (p *patient) place(path string) string {
	here, _ := facts.Find[facts.Project](p.facts, facts.ProjectKey)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(here.Root, path)
}

// indexSettings says where packages come from.
func (p *patient) indexSettings() []report.Finding {
	if p.prober != nil {
		if _, err := p.prober.Index(); err != nil {
			if problems := diag.Problems(err); len(problems) > 0 {
				return ofProblem(problems[0])
			}
		}
	}
	f, ok := facts.Find[facts.Index](p.facts, facts.IndexKey)
	if !ok {
		return unknown("%s", p.why(facts.IndexKey))
	}
	if note := session.IndexText(p.facts); note != "" {
		return well("%s", note)
	}
	return well("packages come from the %s index", f.URL)
}

// reachTimeout is how long an index may take to answer.
const reachTimeout = 5 * time.Second

// indexReach asks the index for an answer, with the CA and proxy that apply uses.
func (p *patient) indexReach() []report.Finding {
	switch {
	case p.isRecorded():
		return omitted("a recorded machine")
	case p.Offline:
		return omitted("--offline")
	}
	settings, err := p.prober.Index()
	if err != nil {
		return omitted("the settings are wrong")
	}
	for _, dir := range settings.FindLinks {
		if _, err := os.Stat(dir); err != nil && filepath.IsAbs(dir) {
			return sick("correct find_links where it is set", "a folder of wheels is not there: %s", dir)
		}
	}
	switch {
	case settings.NoIndex:
		return omitted("the settings ask for no index, only for folders of wheels")
	case settings.URL == "":
		return p.publicIndex(settings)
	}
	if u, err := url.Parse(settings.URL); err == nil && u.Scheme == "file" {
		if _, err := os.Stat(u.Path); err != nil {
			return sick("correct the index where it is set", "the index is a folder that is not there: %s", u.Path)
		}
		return well("it is a folder, which is there")
	}
	client, err := settings.Client()
	if err != nil {
		return ofProblem(diag.Problems(err)[0])
	}
	return answers(p.ctx, client, settings.URL)
}

// publicIndex lets pip ask for one small thing: it knows the address. Only a pip of
// the machine is started, none that lies in the project.
func (p *patient) publicIndex(settings probes.IndexSettings) []report.Finding {
	for _, line := range resources.HelperVersions() {
		pythons, _ := facts.Find[facts.Pythons](p.facts, facts.PythonKey(line))
		base, ok := pythons.Usable()
		if !ok || base.Source == "reconcile" {
			continue
		}
		program, words, ok := resources.PipCommand(base, "")
		if !ok {
			continue
		}
		// pip says why it got no answer only where it tries again.
		c := command.Command{
			Program: program, Env: append(resources.PipEnv(), settings.Environ()...), Timeout: 3 * reachTimeout, Secrets: settings.Secrets(),
			Args: append(words, "index", "versions", "--disable-pip-version-check", "--no-input", "--no-color", "--timeout", "5", "--retries", "1", "pip"),
		}
		result, err := command.Run(p.ctx, c)
		if err == nil {
			return well("the public index answers in %s, asked by pip", result.Elapsed.Round(time.Millisecond))
		}
		said := err.Error()
		if ran, ok := errors.AsType[*command.Error](err); ok {
			lines := slices.DeleteFunc(slices.Clone(ran.Tail), func(line string) bool { return strings.HasPrefix(line, "WARNING: pip index is ") })
			said = cmp.Or(strings.Join(indexerror.Message(lines), "\n"), said)
			if line, unreached := indexerror.Unreachable(strings.Join(ran.Tail, "\n")); unreached {
				said = line
			}
		}
		return sick("check network, proxy and CA; `reconcile facts` shows the settings, under \"index\". What is in the cache can be installed without", "pip gets no answer from the public index: %s", strings.TrimPrefix(said, "ERROR: "))
	}
	return omitted("no Python of this machine has a pip that could ask the public index")
}

// answers asks an address for its head. Errors are shown without the address, which
// may hold a password.
func answers(ctx context.Context, client *http.Client, address string) []report.Finding {
	ctx, stop := context.WithTimeout(ctx, reachTimeout)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return sick("correct the index where it is set", "its address is no URL")
	}
	start := time.Now()
	response, err := client.Do(request)
	if err != nil {
		if asked, ok := errors.AsType[*url.Error](err); ok {
			err = asked.Err
		}
		text := err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			text = fmt.Sprintf("no answer in %s", reachTimeout)
		}
		return sick("check network, proxy and CA; `reconcile facts` shows the settings, under \"index\". What is in the cache can be installed without", "%s", text)
	}
	_ = response.Body.Close() // a head has no body
	took := time.Since(start).Round(time.Millisecond)
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return sick("check user and password of the index, where it is set", "it answers %s", response.Status)
	case code == http.StatusProxyAuthRequired:
		return sick("check user and password of the proxy, where it is set", "the proxy answers %s", response.Status)
	case code >= 500:
		return sick("ask whoever runs the index, or try again later", "it answers %s", response.Status)
	case code >= 400 && code != http.StatusMethodNotAllowed:
		return doubtful("is the address right? Many indexes end in /simple/", "it answers %s in %s", response.Status, took)
	}
	return well("it answers in %s", took)
}
