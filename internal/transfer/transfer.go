package transfer

import (
	"context"
	"errors"
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

// A Request states what is to move, and where to.
type Request struct {
	Push                      bool
	Name, Host                string
	File, Identity, SSHConfig string
	Port, Limit               int
	Checksum                  bool
}

// Options state how a transfer is done, and who is told about it.
type Options struct {
	Interactive bool              // ssh can ask on the terminal
	Notice      func(line string) // nil for none
	Verbose     func(line string) // nil for none
	Progress    func(what string) (tell func(bytes int64, files int), stop func())
	Interrupted func() // called at the first signal to stop
}

// A Transfer is one transfer that the command line asks for, found to be possible as far
// as this machine can tell.
type Transfer struct {
	rsync.Transfer
	options Options
	project *session.Project
	entry   manifest.Sync
	host    string // its name in the manifest, "" where the command line gives the place
	part    string // this machine's part of what reconcile keeps, relative to root
	kept    string // where a pull keeps what it replaces, absolute
	local   rsync.Version
}

// New reads what is to move, and from where to where. It starts nothing.
func New(p *session.Project, o Request, options Options) (*Transfer, error) {
	s := &Transfer{project: p, options: options}
	var err error
	if s.entry, err = findSync(p.Manifest, o.Name, o.Push); err != nil {
		return nil, err
	}
	here, err := p.Local()
	if err != nil {
		return nil, err
	}
	s.part = here.State
	s.Transfer = rsync.Transfer{Push: o.Push, Path: s.entry.Path, Checksum: o.Checksum, Limit: o.Limit}
	if s.Remote, s.host, err = far(p, o.Host, o.Port); err != nil {
		return nil, err
	}
	if s.SSH.Identity, err = optionalPath(p, o.Identity); err != nil {
		return nil, err
	}
	if s.SSH.Config, err = optionalPath(p, o.SSHConfig); err != nil {
		return nil, err
	}
	if o.File != "" {
		s.File = strings.TrimPrefix(path.Clean(o.File), s.entry.Path+"/")
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
func optionalPath(p *session.Project, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	return p.Config.Path(file)
}

// departs finds the folder of this machine, and how it is called where the command is
// typed.
func (s *Transfer) departs() error {
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
	return nil
}

// hostName is the machine as messages call it.
func (s *Transfer) hostName() string {
	if s.host != "" {
		return fmt.Sprintf("%s (%s)", s.host, s.Remote)
	}
	return s.Remote.String()
}

// far finds the machine that a word names: one of the manifest, else HOST:PATH.
func far(p *session.Project, word string, port int) (rsync.Remote, string, error) {
	for _, h := range p.Manifest.Hosts {
		if !strings.EqualFold(h.Name, word) {
			continue
		}
		if here, ok := facts.Find[facts.Host](p.Base, facts.HostKey); ok && strings.EqualFold(h.Name, here.Hostname) {
			return rsync.Remote{}, "", &diag.Problem{Code: "sync.host", Pos: h.Pos, Summary: fmt.Sprintf("%s is this machine", h.Name), Hint: "name the other one"}
		}
		far, problem := farOf(h, port)
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
func farOf(h *manifest.Host, port int) (rsync.Remote, *diag.Problem) {
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

// Notes says in a line each what the printed commands do, and what they take for granted.
func (s *Transfer) Notes(ctx context.Context) []string {
	lines := []string{fmt.Sprintf("# %s. Nothing is deleted. Printed only: --dry-run looks at both machines, --run does it.", s.what())}
	if s.File != "" {
		lines = append(lines, "# scp writes to a name of its own, and the file gets its name when it is whole.")
		if !s.Push {
			lines = append(lines, "# One that is here under that name is gone then; --run keeps it.")
		}
		return lines
	}
	local, _, err := s.localRsync(ctx)
	switch {
	case err != nil:
		lines = append(lines, "# There is no rsync here: "+localRsyncHint)
	case !local.HasDelayUpdates():
		lines = append(lines, fmt.Sprintf("# %s here does not know --delay-updates: %s", local, localRsyncHint))
	default:
		lines = append(lines, fmt.Sprintf("# %s here; any rsync from 2.6.9, or the openrsync of macOS, will do over there.", local))
	}
	return lines
}

// what says what moves from where to where.
func (s *Transfer) what() string {
	thing := s.entry.Path
	if s.File != "" {
		thing += "/" + s.File
	}
	if s.Push {
		return fmt.Sprintf("push %s to %s", thing, s.hostName())
	}
	return fmt.Sprintf("pull %s from %s", thing, s.hostName())
}

// Summary names the transfer for people and programs.
func (s *Transfer) Summary() report.Transfer {
	return report.Transfer{
		Name: s.entry.Name, Push: s.Push, Path: s.entry.Path, File: s.File, Host: s.hostName(), Remote: s.Remote.String(), Port: s.Remote.Port,
		Files: []rsync.Change{}, Left: []rsync.Skipped{},
	}
}

// findSync returns the entry of a name, if it goes that way.
func findSync(m *manifest.Manifest, name string, push bool) (manifest.Sync, error) {
	i := slices.IndexFunc(m.Sync, func(s manifest.Sync) bool { return s.Name == name })
	if i < 0 {
		return manifest.Sync{}, noEntry(m, name, push)
	}
	if s := m.Sync[i]; s.Push != push {
		return s, otherWay(s)
	}
	return m.Sync[i], nil
}

// isInterrupted reports whether a program was ended because we were asked to stop.
func isInterrupted(err error) bool { return errors.Is(err, context.Canceled) }

// Commands returns the commands that do the transfer.
func (s *Transfer) Commands() []rsync.Call {
	t := s.Transfer
	if typed, err := s.project.Config.Directory(); err == nil && typed == s.project.Root && s.project.Config.Dir == "" {
		t.LocalDir = s.entry.Path
	}
	return t.Commands()
}

func (s *Transfer) verbose(line string) {
	if s.options.Verbose != nil {
		s.options.Verbose(line)
	}
}
