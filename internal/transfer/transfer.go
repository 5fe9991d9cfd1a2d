// Package transfer copies the folders that a manifest lists under sync, or single files in
// them, between this machine and a remote one. It starts ssh, rsync and scp.
package transfer

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// A Request states what to copy, in which direction, and how to connect.
type Request struct {
	Push      bool   // to the remote machine; else from it
	Name      string // of an entry of sync
	Host      string // name of a host of the manifest, or USER@HOST:PATH
	File      string // single file, relative to the folder or to the project; "" for the folder
	Port      int    // 0 for that of the manifest, or the default of ssh
	Identity  string // private key; "" for the default of ssh
	SSHConfig string // "" for the default of ssh
	Checksum  bool   // compare contents, not only sizes and times
	Limit     int    // kB a second; 0 for no limit
}

// Options state how a transfer interacts with its caller. Notice and Verbose must not be nil.
type Options struct {
	Interactive bool              // ssh can ask for passwords on the terminal
	Notice      func(line string) // receives warnings
	Verbose     func(line string) // receives started commands and their output
	Interrupted func()            // called at the first signal to stop
	// Progress shows a progress line with a title; nil for none. update receives the
	// number of bytes and files that were transferred so far.
	Progress func(title string) (update func(bytes int64, files int), stop func())
}

// A Transfer is a request that was validated on this machine.
type Transfer struct {
	spec    rsync.Transfer
	options Options
	project *session.Project
	entry   manifest.Sync
	host    string          // name in the manifest, "" for USER@HOST:PATH
	state   string          // state directory of the project, absolute
	backup  string          // directory for the files that a pull replaces, relative to the root
	local   rsync.Version   // set by probe
	kill    context.Context // ends to kill started programs
}

// New validates a request. It starts no program and changes nothing.
func New(p *session.Project, r Request, o Options) (*Transfer, error) {
	t := &Transfer{project: p, options: o}
	var err error
	if t.entry, err = findEntry(p.Manifest, r.Name, r.Push); err != nil {
		return nil, err
	}
	local, err := p.Local()
	if err != nil {
		return nil, err
	}
	t.state = local.State
	t.spec = rsync.Transfer{Push: r.Push, Path: t.entry.Path, Checksum: r.Checksum, Limit: r.Limit}
	var problem *diag.Problem
	if t.spec.Remote, t.host, problem = findRemote(p, r.Host, r.Port); problem != nil {
		return nil, problem
	}
	t.spec.SSH = rsync.SSH{Identity: r.Identity, Config: r.SSHConfig}
	for _, file := range []*string{&t.spec.SSH.Identity, &t.spec.SSH.Config} {
		if *file == "" {
			continue
		}
		if *file, err = p.Config.Path(*file); err != nil {
			return nil, err
		}
	}
	if r.File != "" {
		t.spec.File = strings.TrimPrefix(path.Clean(r.File), t.entry.Path+"/")
	}
	if problem := t.spec.Check(); problem != nil {
		if problem.Code == "sync.path" && problem.Found == t.entry.Path {
			problem.Pos = t.entry.Pos
		}
		return nil, problem
	}
	return t, t.resolveLocal()
}

// resolveLocal sets the local folder, and for a pull the backup directory.
func (t *Transfer) resolveLocal() error {
	t.spec.LocalDir = t.project.Path(t.entry.Path)
	folder, err := t.folder()
	if err != nil {
		return err
	}
	if t.spec.Push {
		return t.checkSource(folder)
	}
	// With milliseconds: a pull in the same second has another directory, and does not report
	// this one's.
	name := strings.ReplaceAll(time.Now().UTC().Format("20060102T150405.000Z"), ".", "")
	t.backup = path.Join(layout.Replaced(t.state, t.entry.Name), name)
	if t.spec.BackupDir, err = filepath.Rel(folder, t.project.Path(t.backup)); err != nil {
		return err
	}
	if problem := t.spec.Check(); problem != nil {
		return problem
	}
	return nil
}

// Commands returns the commands of the transfer, for a shell. Their paths are relative if
// the program was started in the root of the project.
func (t *Transfer) Commands() []rsync.Call {
	spec, config := t.spec, t.project.Config
	if dir, err := config.Directory(); err == nil && dir == t.project.Root && config.Dir == "" {
		spec.LocalDir = t.entry.Path
	}
	return spec.Commands()
}

// Notes returns shell comments that explain Commands.
func (t *Transfer) Notes() []string {
	first := fmt.Sprintf("# %s. Nothing is deleted. Only printed: --dry-run compares both machines, --run transfers.", t)
	switch {
	case t.spec.File == "":
		return []string{first, "# Both machines need GNU rsync 2.6.9 or newer, or the openrsync of macOS."}
	case t.spec.Push:
		return []string{first, "# scp writes a partial file, which is renamed when it is complete."}
	}
	return []string{first, "# scp writes a partial file, which replaces an existing file when it is complete; --run keeps that one."}
}

// String returns the transfer in words, such as "push data/processed to gpu1 (root@HOST:PATH)".
func (t *Transfer) String() string {
	what := path.Join(t.entry.Path, t.spec.File)
	if t.spec.Push {
		return fmt.Sprintf("push %s to %s", what, t.hostName())
	}
	return fmt.Sprintf("pull %s from %s", what, t.hostName())
}

func (t *Transfer) hostName() string {
	if t.host != "" {
		return fmt.Sprintf("%s (%s)", t.host, t.spec.Remote)
	}
	return t.spec.Remote.String()
}

// Summary returns the transfer without a result.
func (t *Transfer) Summary() report.Transfer {
	return report.Transfer{
		Name: t.entry.Name, Push: t.spec.Push, Path: t.entry.Path, File: t.spec.File,
		Host: t.hostName(), Remote: t.spec.Remote.String(), Port: t.spec.Remote.Port,
		Files: []rsync.Change{}, Left: []rsync.Skipped{},
	}
}

// findEntry returns the entry of sync with a name. Its direction must match: an older copy
// must not overwrite the results of a training, nor the reverse.
func findEntry(m *manifest.Manifest, name string, push bool) (manifest.Sync, error) {
	verb, other, not := "pull", "push", "pushed to the GPU machine, not pulled from it"
	if push {
		verb, other, not = "push", "pull", "pulled from the GPU machine, not pushed to it"
	}
	var names []string
	for _, s := range m.Sync {
		switch {
		case s.Push == push && s.Name == name:
			return s, nil
		case s.Name == name:
			return s, &diag.Problem{
				Code: "sync.direction", Pos: s.Pos, Summary: fmt.Sprintf("%q is %s", name, not),
				Hint: fmt.Sprintf("`reconcile sync %s %s HOST`; for both directions add an entry with another name: %s_%s: {%s: %s}", other, name, name, verb, verb, s.Path),
			}
		case s.Push == push:
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return manifest.Sync{}, &diag.Problem{
		Code: "sync.entry", Summary: fmt.Sprintf("the manifest has no entry %q in sync", name),
		Found: list("entries to "+verb, names), Hint: "`reconcile sync` lists them",
	}
}

// list returns "title: a, b", or "" without names.
func list(title string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return title + ": " + strings.Join(names, ", ")
}

// findRemote returns the remote machine of a word of the command line: a host of the
// manifest, with its name, or USER@HOST:PATH.
func findRemote(p *session.Project, word string, port int) (rsync.Remote, string, *diag.Problem) {
	var names []string
	for _, h := range p.Manifest.Hosts {
		if h.SSH != nil {
			names = append(names, h.Name)
		}
		if !strings.EqualFold(h.Name, word) {
			continue
		}
		if local, ok := facts.Find[facts.Host](p.Base, facts.HostKey); ok && strings.EqualFold(h.Name, local.Hostname) {
			return rsync.Remote{}, "", &diag.Problem{Code: "sync.host", Pos: h.Pos, Summary: fmt.Sprintf("%s is this machine", h.Name), Hint: "name the remote machine"}
		}
		remote, problem := remoteOf(h, port)
		return remote, h.Name, problem
	}
	if !strings.Contains(word, ":") {
		return rsync.Remote{}, "", &diag.Problem{
			Code: "sync.host", Summary: fmt.Sprintf("the manifest has no host %q", word),
			Found: list("hosts with ssh", names), Hint: "write USER@HOST:PATH, or add it to hosts in the manifest",
		}
	}
	remote, problem := rsync.ParseRemote(word, port)
	return remote, "", problem
}

// remoteOf returns the remote machine of a host of the manifest. A port other than 0
// replaces the port of the manifest.
func remoteOf(h *manifest.Host, port int) (rsync.Remote, *diag.Problem) {
	if h.SSH == nil {
		return rsync.Remote{}, &diag.Problem{
			Code: "sync.host", Pos: h.Pos, Summary: fmt.Sprintf("host %s has no ssh in the manifest", h.Name),
			Hint: "add ssh: {host: HOST, port: 22, path: PATH} to it, or write USER@HOST:PATH",
		}
	}
	remote := rsync.ParseLogin(h.SSH.Host)
	remote.Port = port
	if own := int(h.SSH.Port); port == 0 && own != 22 {
		remote.Port = own // 22 is the default of ssh, unless its configuration has another for an alias
	}
	if h.SSH.Path != "" {
		remote.Path = path.Clean(h.SSH.Path)
	}
	problem := rsync.Transfer{Remote: remote, Path: "."}.Check()
	if problem != nil {
		problem.Pos = h.SSH.Pos
	}
	return remote, problem
}
