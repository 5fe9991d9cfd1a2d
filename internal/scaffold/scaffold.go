// Package scaffold starts a project: it writes the files of this repository under another
// name, or a manifest of the files that a directory holds already.
package scaffold

import (
	"context"
	"errors"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// Options state what Init writes.
type Options struct {
	Dir    string // "" for the directory of the run
	Bare   bool   // the smallest manifest
	NoLock bool   // nothing is locked after this, so that the network is not used
}

// A Result is what Init wrote. Its JSON form is the output of the command.
type Result struct {
	Version  int      `json:"version"` // of this format
	Project  string   `json:"project"`
	Root     string   `json:"root"`     // absolute
	Manifest string   `json:"manifest"` // relative to root, as the following
	Written  []string `json:"written"`
	Same     []string `json:"same"` // existed with the same content
	Kept     []string `json:"kept"` // existed with other content, and were not changed
	Notes    []string `json:"notes"`
	Moved    bool     `json:"-"` // Root is not the working directory

	*Adopted // nil if the folder has no files to adopt
}

// Init writes a project, or its manifest alone. It writes all files or none, and never
// overwrites one. An interrupt ends it with exit.Interrupted, before anything is written.
func Init(ctx context.Context, c *session.Config, o Options) (*Result, error) {
	at, err := openPlace(c, o.Dir)
	if err != nil {
		return nil, err
	}
	defer at.root.Close()
	ctx, _, stop := session.Interruptible(ctx, nil)
	defer stop()
	result := &Result{
		Version: 1, Root: at.dir, Manifest: at.manifest, Moved: at.moved,
		Written: []string{}, Same: []string{}, Kept: []string{}, Notes: at.notes(),
	}
	var files []newFile
	if o.Bare {
		result.Project = manifest.Slug(at.name())
		files = []newFile{{name: at.manifest, content: []byte(manifest.Starter(at.name()))}}
	} else if begun, failure := isBegun(at, *result); failure != nil || !begun {
		if err = failure; err == nil {
			files, err = adopt(ctx, c, at, o, result)
		}
	}
	if err == nil && len(files) == 0 {
		files, err = projectFiles(at, result)
	}
	if err == nil {
		err = at.write(ctx, files, result)
	}
	if err != nil && ctx.Err() != nil {
		return nil, exit.Quietly(exit.Interrupted)
	}
	return result, err
}

// writeProblem returns the problem that nothing could be written, and why.
func writeProblem(dir string, err error) error {
	if _, ok := errors.AsType[*diag.Problem](err); ok {
		return err
	}
	return &diag.Problem{
		Code: "init.write", Summary: "nothing could be written in " + dir + "; it is unchanged", Found: strings.TrimSpace(err.Error()),
		Hint: "check its owner and mode (ls -ld), and the free space of its disk (df -h)",
	}
}
