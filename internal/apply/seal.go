package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// seal makes a generation selectable once everything in it is checked and on
// disk. The seal itself is the last file.
func (t *task) seal(ctx context.Context, s resources.Seal) error {
	gen, err := t.generation(s.Generation)
	if err != nil {
		return err
	}
	packages := slices.Clone(s.Packages)
	slices.SortFunc(packages, func(a, b facts.Package) int { return strings.Compare(a.Name, b.Name) })
	if err := checkDuplicates(gen, s); err != nil {
		return err
	}
	meter := &progress{task: t}
	damage, err := pyenv.Recheck(ctx, gen.abs(), pyenv.Seal{Packages: packages, Conda: s.Conda}, t.verified, meter.tell)
	if err != nil {
		return err
	}
	if len(damage) > 0 {
		return damageProblem(damage)
	}
	failpoint.Hit(failpoint.SealVerified)
	byConda, err := t.writeEntryPoints(gen, s)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.SealLaunchers)
	skeleton, err := pyenv.Skeleton(gen.abs())
	if err != nil {
		return err
	}
	stamps, err := pyenv.TakeStamps(gen.abs())
	if err != nil {
		return err
	}
	if err := t.root.WriteFile(layout.Stamps(gen.rel), stamps, 0o600); err != nil {
		return err
	}
	failpoint.Hit(failpoint.SealStamped)
	if err := atomicfile.SyncTree(t.root, gen.rel); err != nil {
		return err
	}
	if err := syncDir(t.root, gen.dir()); err != nil {
		return err
	}
	failpoint.Hit(failpoint.SealSynced)
	text, err := pyenv.EncodeSeal(pyenv.Seal{
		Digest: s.Digest, Python: s.Python, Base: s.Base, Created: t.o.Now().UTC().Format(time.RFC3339),
		Installer: createdBy(gen), Prefix: gen.abs(), Packages: packages,
		Conda: s.Conda, CondaDists: byConda, Skeleton: skeleton,
	})
	if err != nil {
		return err
	}
	return atomicfile.Write(t.root, layout.Seal(gen.rel), 0o600, text)
}

// notTwice refuses distributions that both parts of a lock brought. lock leaves out
// what conda brings by the names of its packages, which may have others.
func checkDuplicates(gen place, s resources.Seal) error {
	if len(s.Conda) == 0 {
		return nil
	}
	found, err := pyenv.DuplicateDists(gen.abs(), s.Packages)
	if err != nil || len(found) == 0 {
		return nil // what cannot be read is damage, which is looked for next
	}
	var list []string
	for _, f := range found {
		list = append(list, fmt.Sprintf("%s: by the package %s of conda, and by the index", f.Dist, f.Conda))
	}
	return &diag.Problem{
		Code: "apply.twice", Summary: "the lock brings distributions twice, and one replaced the other", Found: strings.Join(list, "\n"),
		Hint: "take it from one side: leave it out of `packages` or of `conda_packages`, then run `reconcile lock`; the environment that is in use was not touched",
	}
}

// entries writes everything through which a generation is entered, and returns the
// distributions that conda brought into it.
func (t *task) writeEntryPoints(gen place, s resources.Seal) ([]facts.Package, error) {
	enter := entryPoints{bin: filepath.Join(gen.abs(), "bin"), settings: t.settings(s.Variables)}
	if len(s.Conda) == 0 {
		return nil, errors.Join(t.writePipStubs(gen), t.writeLaunchers(gen, enter))
	}
	enter.prefix = gen.abs()
	byConda, err := pyenv.CondaDists(gen.abs())
	if err != nil {
		return nil, err
	}
	return byConda, errors.Join(t.writePipStubs(gen), t.writeCondaFiles(gen, enter), t.writeLaunchers(gen, enter))
}

// creator names what made an environment, for people.
func createdBy(gen place) string {
	c, err := pyenv.ReadConfig(gen.abs())
	if err != nil {
		return ""
	}
	return c.Creator
}

// maxDamage is how many damages a message lists.
const maxDamage = 10

func damageProblem(damage []facts.Damage) error {
	var found []string
	for i, d := range damage {
		if i == maxDamage {
			found = append(found, fmt.Sprintf("and %d more", len(damage)-maxDamage))
			break
		}
		found = append(found, strings.TrimSpace(strings.Join([]string{d.What, d.Dist, d.Path}, " ")))
	}
	return &diag.Problem{
		Code: "apply.seal", Summary: "what was installed is not what the lock names", Found: strings.Join(found, "\n"),
		Hint: "the environment that is in use was not touched; run `reconcile apply` again; if it stays so, the cache is damaged: remove .reconcile/cache, and what is in the folder conda of this machine's part of .reconcile, and apply once more",
	}
}

// pipSign stands for pip in an environment that has none. Without it the shell
// would go on to the pip of another Python, and change that one.
const pipStub = `#!/bin/sh
echo "reconcile: this environment is built from manifest.yaml and is never changed in place." >&2
echo "Add the package there, then run: reconcile lock && reconcile apply" >&2
exit 1
`

// pipSigns writes pipSign under the names of pip that no package brought.
func (t *task) writePipStubs(gen place) error {
	for _, name := range []string{"pip", "pip3"} {
		if err := t.writeIfAbsent(path.Join(gen.rel, "bin", name), pipStub, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// sign writes a file that no package brought.
func (t *task) writeIfAbsent(name, text string, mode fs.FileMode) error {
	if _, err := t.root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return t.createFile(name, text, mode)
}

// launchers writes the programs through which a generation is entered by its real
// path, whatever link led to them.
func (t *task) writeLaunchers(gen place, enter entryPoints) error {
	folder := layout.Launchers(gen.rel)
	if err := t.root.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	// Modes are set apart from the umask: another user of the group may enter.
	for _, dir := range []string{path.Dir(folder), folder} {
		if err := t.root.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	names, err := pyenv.Scripts(gen.abs())
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := t.createFile(path.Join(folder, name), enter.program(name), 0o755); err != nil {
			return err
		}
	}
	for name, text := range enter.activators() {
		if err := t.createFile(path.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// launcher writes a file that is new. Whatever a package put there is not written
// into: it may be one with the file in the cache, and in other generations.
func (t *task) createFile(name, text string, mode fs.FileMode) error {
	f, err := t.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return &diag.Problem{
			Code: "apply.occupied", Summary: "a package brings a file where reconcile writes its own", Found: name,
			Hint: "leave that package out; the environment that is in use was not touched",
		}
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Chmod(mode), f.Close())
}
