package sourcebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/flock"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/redact"
)

// gitTimeout is the time limit for one fetch.
const gitTimeout = 30 * time.Minute

// gitHint is the form of a repository and a commit that can be fetched.
const gitHint = "write git+https://HOST/OWNER/NAME@COMMIT, without a password; ssh and file URLs can be fetched too"

// Git fetches commits with the machine's git. Programs of the user's own configuration, such as a
// credential helper or ssh, run while it fetches; hooks and filters never run.
type Git struct {
	Cache    string   // absolute directory of the store, which is created
	Env      []string // KEY=value: proxy and certificates of this machine
	Redactor *redact.Redactor
	Kill     context.Context // see command.Command
}

// Checkout writes the files of a commit into a new directory at an absolute path. The repository
// has that commit alone, or the whole history with tags if the build reads the version from it.
// Submodules are not fetched. A repository that cannot be read, and one that no longer has the
// commit, is the Problem build.git.
func (g *Git) Checkout(ctx context.Context, repository, commit, subdirectory, dir string) error {
	if !lock.ValidGit(repository) || !lock.ValidCommit(commit) {
		return &diag.Problem{Code: "build.git", Summary: "the source is not a full commit of a git repository", Found: g.printable(repository) + " at " + fmt.Sprintf("%q", commit), Hint: gitHint}
	}
	program, err := findGit()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(g.Cache, 0o700); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(repository + "\n" + commit))
	cached := filepath.Join(g.Cache, hex.EncodeToString(sum[:16]))
	f, _, err := flock.Open(ctx, cached+".lock")
	if err != nil {
		return err
	}
	defer f.Close()
	r := &gitRun{Git: g, program: program, url: repository, commit: commit}
	if !r.has(ctx, cached) {
		if err := r.fetch(ctx, cached, false); err != nil {
			return err
		}
	}
	if err := r.checkout(ctx, cached, dir); err != nil {
		return err
	}
	p, err := Open(filepath.Join(dir, filepath.FromSlash(subdirectory)))
	if err != nil || !p.usesHistory() {
		return nil // Open is called again by the build
	}
	if _, err := os.Lstat(filepath.Join(cached, "shallow")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := r.fetch(ctx, cached, true); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return r.checkout(ctx, cached, dir)
}

// Resolve returns the full commit of a branch or a tag, or of the default branch for "". A
// repository that cannot be read, and one without the revision, is the Problem build.git.
func (g *Git) Resolve(ctx context.Context, repository, revision string) (string, error) {
	if !lock.ValidGit(repository) || strings.ContainsAny(revision, "*?[ \\~^:") || strings.HasPrefix(revision, "-") {
		return "", &diag.Problem{Code: "build.git", Summary: fmt.Sprintf("the source is not a revision %.100q of a git repository", revision), Found: g.printable(repository), Hint: gitHint}
	}
	program, err := findGit()
	if err != nil {
		return "", err
	}
	r := &gitRun{Git: g, program: program, url: repository}
	result, err := r.git(ctx, "", "ls-remote", "--quiet", "--", repository)
	if err != nil {
		return "", r.problem(ctx, "the repository could not be read", err)
	}
	commits := map[string]string{} // by name of the reference
	for line := range strings.Lines(string(result.Stdout)) {
		commit, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		commits[name] = commit
	}
	for _, name := range []string{"refs/heads/" + revision, "refs/tags/" + revision + "^{}", "refs/tags/" + revision, revision, "HEAD"} {
		if commit := commits[name]; lock.ValidCommit(commit) && (name != "HEAD" || revision == "") {
			return commit, nil
		}
	}
	return "", &diag.Problem{
		Code: "build.git", Summary: fmt.Sprintf("the repository has no branch or tag %.100q", revision), Found: g.printable(repository),
		Hint: "write the full commit instead: git+URL@COMMIT",
	}
}

// usesHistory reports whether the build determines the version by tags of git.
func (p *Project) usesHistory() bool {
	return slices.ContainsFunc(p.Requires, func(text string) bool {
		r, err := pep.ParseRequirement(text)
		return err == nil && slices.Contains([]string{
			"setuptools-scm", "hatch-vcs", "flit-scm", "versioningit", "dunamai", "poetry-dynamic-versioning", "uv-dynamic-versioning", "setuptools-git-versioning", "versioneer", "pbr",
		}, pep.Normalize(r.Name))
	})
}

// A gitRun is one call of Checkout or Resolve.
type gitRun struct {
	*Git
	program, url, commit string
}

// findGit returns the git of the machine.
func findGit() (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin") {
		if name := filepath.Join(dir, "git"); filepath.IsAbs(dir) && command.CheckExecutable(name) == nil {
			return name, nil
		}
	}
	return "", &diag.Problem{Code: "build.git", Summary: "this machine has no git, which a package of the lock is fetched with", Hint: "install git of the system, then run the command again"}
}

// has reports whether the cache has the commit.
func (r *gitRun) has(ctx context.Context, cached string) bool {
	_, err := r.git(ctx, "", "--git-dir="+cached, "cat-file", "-e", r.commit+"^{commit}")
	return err == nil
}

// fetch fetches the commit into the cache, alone or with its history and all tags.
func (r *gitRun) fetch(ctx context.Context, cached string, history bool) error {
	temp := filepath.Join(r.Cache, atomicfile.TempName())
	defer os.RemoveAll(temp)
	format := "sha1"
	if len(r.commit) == 64 {
		format = "sha256"
	}
	if _, err := r.git(ctx, "", "init", "--quiet", "--bare", "--template=", "--object-format="+format, temp); err != nil {
		return r.problem(ctx, "git could not create a repository", err)
	}
	args := []string{"--git-dir=" + temp, "fetch", "--quiet", "--no-recurse-submodules", "--no-auto-maintenance"}
	commit := append(slices.Clone(args), "--no-tags", "--depth=1", "--", r.url, r.commit)
	all := append(slices.Clone(args), "--tags", "--", r.url, "+refs/heads/*:refs/heads/*")
	var err error
	if history {
		_, err = r.git(ctx, temp, all...)
		if err == nil && !r.has(ctx, temp) { // a commit that no branch has
			_, err = r.git(ctx, temp, append(slices.Clone(args), "--no-tags", "--", r.url, r.commit)...)
		}
	} else if _, err = r.git(ctx, temp, commit...); err != nil && ctx.Err() == nil {
		// Old servers only send commits of branches and tags.
		if _, err2 := r.git(ctx, temp, all...); err2 != nil {
			return r.problem(ctx, fmt.Sprintf("the repository of commit %s could not be read", r.commit), err2)
		}
		err = nil
	}
	if err != nil {
		return r.problem(ctx, fmt.Sprintf("the repository of commit %s could not be read", r.commit), err)
	}
	if !r.has(ctx, temp) {
		return &diag.Problem{
			Code: "build.git", Summary: "the repository has no commit " + r.commit, Found: r.printable(r.url),
			Hint: "its history was rewritten or the commit was never published: `reconcile lock --upgrade` takes the newest one of a branch; replace a commit that the manifest names, then run `reconcile lock`",
		}
	}
	if err := os.RemoveAll(cached); err != nil {
		return err
	}
	return os.Rename(temp, cached)
}

// checkout writes the files of the commit, whose content git compares with the commit.
func (r *gitRun) checkout(ctx context.Context, cached, dir string) error {
	if _, err := r.git(ctx, "", "init", "--quiet", "--template=", dir); err != nil {
		return r.problem(ctx, "git could not create a repository", err)
	}
	for _, args := range [][]string{
		{"fetch", "--quiet", "--no-recurse-submodules", "--update-shallow", "--tags", "--", "file://" + cached, r.commit},
		{"fsck", "--no-dangling", "--connectivity-only"},
		{"checkout", "--quiet", "--detach", r.commit},
	} {
		if _, err := r.git(ctx, dir, append([]string{"--git-dir=" + filepath.Join(dir, ".git"), "--work-tree=" + dir}, args...)...); err != nil {
			return r.problem(ctx, fmt.Sprintf("the files of commit %s could not be written", r.commit), err)
		}
	}
	return nil
}

// git runs git in a directory. Only a fetch from the repository reads the user's configuration.
func (r *gitRun) git(ctx context.Context, dir string, args ...string) (command.Result, error) {
	settings := []string{
		"core.hooksPath=/dev/null", "core.fsmonitor=false", "core.symlinks=true", "core.autocrlf=false", "protocol.allow=never", "protocol.https.allow=always",
		"protocol.ssh.allow=always", "protocol.file.allow=always", "advice.detachedHead=false", "gc.auto=0",
	}
	env := []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_LFS_SKIP_SMUDGE=1", fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(settings))}
	for i, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, value))
	}
	if slices.Contains(args, r.url) {
		env = append(env, r.Env...)
		for _, kv := range r.Env {
			if cert, ok := strings.CutPrefix(kv, "SSL_CERT_FILE="); ok {
				env = append(env, "GIT_SSL_CAINFO="+cert)
			}
		}
		env = append(env, "GIT_ASKPASS=", "SSH_ASKPASS=", "SSH_ASKPASS_REQUIRE=never")
		for _, name := range []string{"SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSH", "XDG_CONFIG_HOME"} {
			if value := os.Getenv(name); value != "" {
				env = append(env, name+"="+value)
			}
		}
		if os.Getenv("GIT_SSH_COMMAND") == "" && os.Getenv("GIT_SSH") == "" {
			env = append(env, "GIT_SSH_COMMAND=ssh -o BatchMode=yes")
		}
	} else {
		env = append(env, "GIT_CONFIG_GLOBAL=/dev/null", "HOME=/nonexistent")
	}
	return command.Run(ctx, command.Command{Program: r.program, Args: args, Env: env, Dir: dir, Timeout: gitTimeout, Redactor: r.Redactor, Kill: r.Kill})
}

// problem returns the problem of a call of git that failed.
func (r *gitRun) problem(ctx context.Context, summary string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	found := err.Error()
	if ran, ok := errors.AsType[*command.Error](err); ok && len(ran.Tail) > 0 {
		found = strings.Join(ran.Tail, "\n")
	}
	return &diag.Problem{
		Code: "build.git", Summary: summary, Found: r.printable(r.url) + "\n" + r.printable(found),
		Hint: fmt.Sprintf("check the address, the network and your access: `git ls-remote %s`", command.Escape(r.printable(r.url))),
	}
}

// printable returns a text of git without credentials.
func (g *Git) printable(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		text = u.Redacted()
	}
	if g.Redactor != nil {
		text = g.Redactor.String(text)
	}
	return text
}
