package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/pkg/diag"
	"github.com/reconcile-ml/reconcile/pkg/manifest"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "init",
		Example: "  reconcile init\n  reconcile init -C ../other-project",
		Short:   "write a commented starter manifest",
		Long: long(`
Writes manifest.yaml with comments into this folder, as a start: folders, storage, a venv,
and as a comment an environment of conda for GPU machines. Never overwrites: a manifest
that is there stays as it is.`, changes, exitDone, exitError),
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := a.folder(); err != nil {
				return err
			}
			file, err := a.path(cmp.Or(a.manifest, defaultManifest))
			if err != nil {
				return err
			}
			if _, err := os.Lstat(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
				return &diag.Problem{
					Code: "init.exists", Summary: fmt.Sprintf("%s is there already and stays as it is", file),
					Hint: "`reconcile plan` shows what it would change here",
				}
			}
			root, err := os.OpenRoot(filepath.Dir(file))
			if err != nil {
				return err
			}
			defer root.Close()
			if err := atomicfile.Write(root, filepath.Base(file), 0o644, []byte(manifest.Starter(filepath.Base(filepath.Dir(file))))); err != nil {
				return err
			}
			if err := say(a.out, "Wrote %s. Next: edit it, then `reconcile lock` and `reconcile plan`.", filepath.Base(file)); err != nil {
				return err
			}
			return say(a.out, "What apply keeps here lies in .reconcile, which makes itself invisible to git.")
		},
	}
}
