package cli

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
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// A shipment is one transfer that the command line asks for, found to be possible as far
// as this machine can tell.
type shipment struct {
	*app
	rsync.Transfer
	project *session.Project
	flags   syncFlags
	entry   manifest.Sync
	host    string // its name in the manifest, "" where the command line gives the place
	part    string // this machine's part of what reconcile keeps, relative to root
	kept    string // where a pull keeps what it replaces, absolute
	local   rsync.Version
}

// shipment reads what is to move, and from where to where. It starts nothing.
func (a *app) shipment(ctx context.Context, push bool, name, host string, o syncFlags) (*shipment, error) {
	p, err := session.Open(ctx, a.config(), "")
	if err != nil {
		return nil, err
	}
	s := &shipment{app: a, project: p, flags: o}
	if s.entry, err = findSync(p.Manifest, name, push); err != nil {
		return nil, err
	}
	here, err := p.Local()
	if err != nil {
		return nil, err
	}
	s.part = here.State
	s.Transfer = rsync.Transfer{Push: push, Path: s.entry.Path, Checksum: o.checksum, Limit: o.limit}
	if s.Remote, s.host, err = a.far(p, host, o.port); err != nil {
		return nil, err
	}
	if s.SSH.Identity, err = a.optionalPath(o.identity); err != nil {
		return nil, err
	}
	if s.SSH.Config, err = a.optionalPath(o.config); err != nil {
		return nil, err
	}
	if o.file != "" {
		s.File = strings.TrimPrefix(path.Clean(o.file), s.entry.Path+"/")
	}
	if problem := s.Check(); problem != nil {
		if problem.Code == "sync.path" && problem.Found == s.entry.Path {
			problem.Pos = s.entry.Pos
		}
		return nil, problem
	}
	return s, s.departs()
}

// optionalPath is path for a flag that may be missing.
func (a *app) optionalPath(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	return a.config().Path(file)
}

// departs finds the folder of this machine, and how it is called where the command is
// typed.
func (s *shipment) departs() error {
	folder, err := s.folder()
	if err != nil {
		return err
	}
	if s.Push {
		if err := s.hasSomething(folder); err != nil {
			return err
		}
	} else {
		s.kept = s.project.Path(path.Join(layout.Replaced(s.part, s.entry.Name), time.Now().UTC().Format("20060102T150405Z")))
		if s.BackupDir, err = filepath.Rel(folder, s.kept); err != nil {
			return err
		}
		if problem := s.Check(); problem != nil {
			return problem
		}
	}
	s.LocalDir = s.project.Path(s.entry.Path)
	if typed, err := s.app.config().Directory(); err == nil && typed == s.project.Root && s.dir == "" && !s.flags.run && !s.flags.preview {
		s.LocalDir = s.entry.Path
	}
	return nil
}

// hostName is the machine as messages call it.
func (s *shipment) hostName() string {
	if s.host != "" {
		return fmt.Sprintf("%s (%s)", s.host, s.Remote)
	}
	return s.Remote.String()
}

// far finds the machine that a word names: one of the manifest, else HOST:PATH.
func (a *app) far(p *session.Project, word string, port int) (rsync.Remote, string, error) {
	for _, h := range p.Manifest.Hosts {
		if !strings.EqualFold(h.Name, word) {
			continue
		}
		if here, ok := facts.Find[facts.Host](p.Base, facts.HostKey); ok && strings.EqualFold(h.Name, here.Hostname) {
			return rsync.Remote{}, "", &diag.Problem{Code: "sync.host", Pos: h.Pos, Summary: fmt.Sprintf("%s is this machine", h.Name), Hint: "name the other one"}
		}
		far, problem := farOf(p.Checkout, h, port)
		if problem != nil {
			return far, "", problem
		}
		return far, h.Name, nil
	}
	if !strings.Contains(word, ":") {
		return rsync.Remote{}, "", noHost(p.Manifest, word)
	}
	far, problem := rsync.ParseRemote(word, port)
	if problem != nil {
		return far, "", problem
	}
	return far, "", nil
}

// farOf returns where a machine of the manifest is reached. A port of the command line
// goes before that of the manifest.
func farOf(p *session.Checkout, h *manifest.Host, port int) (rsync.Remote, *diag.Problem) {
	if h.SSH == nil {
		return rsync.Remote{}, &diag.Problem{
			Code: "sync.host", Pos: h.Pos, Summary: fmt.Sprintf("the manifest does not say how %s is reached", h.Name),
			Hint: "add ssh: {host: HOST, port: 22, path: PATH} to it, or write USER@HOST:PATH",
		}
	}
	far := rsync.ParseLogin(h.SSH.Host)
	far.Port = port
	if own := int(h.SSH.Port); port == 0 && own != 22 {
		far.Port = own // 22 is what ssh takes, unless its configuration has another for an alias
	}
	if h.SSH.Path != "" {
		far.Path = path.Clean(h.SSH.Path)
	}
	if problem := (rsync.Transfer{Remote: far, Path: "."}).Check(); problem != nil {
		problem.Pos = h.SSH.Pos
		return far, problem
	}
	return far, nil
}

func noHost(m *manifest.Manifest, word string) error {
	p := &diag.Problem{Code: "sync.host", Summary: fmt.Sprintf("the manifest knows no machine %q", word), Hint: "write USER@HOST:PATH, or add it to hosts in the manifest"}
	var names []string
	for _, h := range m.Hosts {
		if h.SSH != nil {
			names = append(names, h.Name)
		}
	}
	if len(names) > 0 {
		p.Found = "there are: " + strings.Join(names, ", ")
	}
	return p
}

func noEntry(m *manifest.Manifest, name string, push bool) error {
	p := &diag.Problem{Code: "sync.entry", Summary: fmt.Sprintf("the manifest has no entry %q in sync", name), Hint: "`reconcile sync` lists them"}
	var names []string
	for _, s := range m.Sync {
		if s.Push == push {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	if len(names) > 0 {
		p.Found = fmt.Sprintf("these go that way: %s", strings.Join(names, ", "))
	}
	return p
}

// otherWay says that an entry goes the other way: what was trained over there is not to
// be overwritten by an older copy from here, nor the other way round.
func otherWay(s manifest.Sync) error {
	is, do, key := "pulled from the GPU machine, not pushed to it", "pull", "push"
	if s.Push {
		is, do, key = "pushed to the GPU machine, not pulled from it", "push", "pull"
	}
	return &diag.Problem{
		Code: "sync.direction", Pos: s.Pos, Summary: fmt.Sprintf("%q is %s", s.Name, is),
		Hint: fmt.Sprintf("`reconcile sync %s %s HOST`; for both ways add an entry of another name: %s_%s: {%s: %s}", do, s.Name, s.Name, key, key, s.Path),
	}
}

// hereAs returns a path of this machine as people know it: inside the project.
func hereAs(p *session.Project, file string) string {
	if rel, err := filepath.Rel(p.Root, file); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return file
}
