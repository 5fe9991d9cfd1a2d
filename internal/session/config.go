// Package session runs the phases that every command shares. Each phase is a type, and
// a value of it is complete when it is returned:
//
//	Load    reads the manifest                        *Checkout
//	Open    also probes what selects an environment   *Project
//	Select  selects the environment for the machine   *Target
//	Observe probes all that the manifest asks for     *Machine
//	Plan    compares both                             *planner.Plan
//	Lock    takes the project's lock                  *Run
//	Apply   applies a plan                            *apply.Result
//
// The facts come from this machine or from a file that another one recorded; every
// phase up to Plan is the same for both.
package session

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/redact"
)

// DefaultManifest is the file name that is searched for, in the directory of the run
// and in those above it.
const DefaultManifest = "manifest.yaml"

// A Config states how a run was started.
type Config struct {
	Dir          string    // -C; "" for the working directory
	Manifest     string    // -m; "" to search for DefaultManifest
	Environments []string  // of --env; none for the one that matches the machine
	All          bool      // --all: every environment that matches the machine
	Environ      []string  // of the process, as os.Environ returns it
	Stdin        io.Reader // read for a file that is named -; nil for none
	Program      string    // version of this program
	Args         []string  // as typed, without the program, for hints
	// Now returns the time, for ends of life and the age of audits; nil for the clock.
	Now func() time.Time
	// Redactor removes the secrets of the run from what it prints and records; nil for none.
	Redactor *redact.Redactor
}

// Getenv returns a variable of Environ, "" if it is not set.
func (c *Config) Getenv(name string) string {
	for _, kv := range c.Environ {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// Time returns the time of Now.
func (c *Config) Time() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Home returns the home directory of the user, absolute; "" if there is none.
func (c *Config) Home() string {
	if home := c.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Clean(home)
	}
	if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) {
		return u.HomeDir
	}
	return ""
}

// ManifestName returns the manifest as messages name it.
func (c *Config) ManifestName() string { return cmp.Or(c.Manifest, DefaultManifest) }

// Path returns the absolute path of a file that the command line names, relative to Dir.
func (c *Config) Path(file string) (string, error) {
	if filepath.IsAbs(file) {
		return file, nil
	}
	return filepath.Abs(filepath.Join(c.Dir, file))
}

// ReadFile reads a file of at most limit bytes that the command line names; - is standard
// input.
func (c *Config) ReadFile(file string, limit int64) ([]byte, error) {
	if file == "-" && c.Stdin != nil {
		return rawfile.ReadStream(c.Stdin, "standard input", limit)
	}
	file, err := c.Path(file)
	if err != nil {
		return nil, err
	}
	return rawfile.ReadFile(file, limit, 0)
}

// Directory returns the absolute path of Dir, which must be a directory.
func (c *Config) Directory() (string, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	return dir, checkDirectory(dir, info, err)
}

// checkDirectory returns the problem of a directory with this result of os.Stat, nil for
// none.
func checkDirectory(dir string, info fs.FileInfo, err error) error {
	p := &diag.Problem{Code: "folder.absent", Summary: fmt.Sprintf("there is no folder %s", dir), Hint: "-C takes a folder that exists"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return p
	case err != nil:
		p.Code, p.Summary, p.Found, p.Hint = "folder.unreadable", fmt.Sprintf("folder %s cannot be read", dir), err.Error(), ""
		return p
	case !info.IsDir():
		p.Summary = dir + " is not a folder"
		return p
	}
	return nil
}

// Locate returns the root of the project, absolute with links resolved, and the name of
// the manifest in it. Without -m the project is the nearest directory, at or above Dir, in
// which anything has the name DefaultManifest. A project of another user is refused, see
// CheckOwner.
func (c *Config) Locate() (root, name string, err error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return "", "", err
	}
	info, err := os.Stat(dir)
	if err := checkDirectory(dir, info, err); err != nil {
		return "", "", err
	}
	if c.Manifest != "" {
		file, err := c.Path(c.Manifest)
		if err != nil {
			return "", "", err
		}
		return c.locateFile(file)
	}
	for at := dir; ; at = filepath.Dir(at) {
		file := filepath.Join(at, DefaultManifest)
		// Anything of that name ends the search: a project further up is not the one that
		// was meant.
		if _, err := os.Lstat(file); err == nil {
			return c.locateFile(file)
		}
		if at == filepath.Dir(at) {
			return "", "", noManifest(filepath.Join(dir, DefaultManifest), ", nor in a folder above", fs.ErrNotExist)
		}
	}
}

// locateFile returns the root and name of a manifest, unless it cannot be one, or belongs to
// a project of another user.
func (c *Config) locateFile(file string) (root, name string, err error) {
	root, err = filepath.EvalSymlinks(filepath.Dir(file))
	if err == nil {
		if err := c.CheckOwner(root, filepath.Join(root, filepath.Base(file))); err != nil {
			return "", "", err
		}
	}
	if why := checkManifest(file); why != nil {
		return "", "", noManifest(file, "", why)
	}
	return root, filepath.Base(file), err
}

// checkManifest returns why a file cannot be a manifest; nil if it can.
func checkManifest(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, lerr := os.Lstat(file); lerr == nil {
			return errors.New("it is a link to a file that does not exist")
		}
		return err
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("it is a folder")
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	return nil
}

// noManifest returns the problem that file is missing or cannot be a manifest; elsewhere
// completes the summary.
func noManifest(file, elsewhere string, err error) error {
	p := &diag.Problem{Code: "manifest.absent", Summary: fmt.Sprintf("there is no manifest at %s%s", file, elsewhere)}
	p.Hint = "`reconcile init` writes a starter; -C DIR or -m FILE name another place"
	if !errors.Is(err, fs.ErrNotExist) {
		p.Code, p.Summary, p.Found = "manifest.unreadable", fmt.Sprintf("the manifest at %s cannot be read", file), err.Error()
		p.Hint = "look at it with `ls -l`; -m FILE names another one"
	}
	return p
}

// ShellPrefix returns the environment that the calling shell has activated, absolute; ""
// for none.
func (c *Config) ShellPrefix() string {
	return cmp.Or(c.Getenv("VIRTUAL_ENV"), c.Getenv("CONDA_PREFIX"))
}

// GPUEnv returns the variables of Environ that limit the GPUs that programs use. A smoke
// test gets them, so that it does not use a GPU that is reserved for another job.
func (c *Config) GPUEnv() []string {
	return slices.DeleteFunc(slices.Clone(c.Environ), func(kv string) bool {
		return !strings.HasPrefix(kv, "CUDA_VISIBLE_DEVICES=") && !strings.HasPrefix(kv, "CUDA_DEVICE_ORDER=")
	})
}
