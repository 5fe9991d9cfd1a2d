package apply

import (
	"context"
	"crypto/sha256"
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

// seal verifies a generation, completes it and makes it durable. It writes the seal last: a
// generation without a seal is never used.
func (t *task) seal(ctx context.Context, s resources.Seal) error {
	gen, err := t.generation(s.Generation)
	if err != nil {
		return err
	}
	if err := checkDuplicates(gen, s); err != nil {
		return err
	}
	damage, err := pyenv.Recheck(ctx, gen.abs(), expected(s), t.verified, (&progress{task: t}).report)
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
	if err := pyenv.MakeCaches(gen.abs()); err != nil {
		return err
	}
	skeleton, err := pyenv.Skeleton(gen.abs())
	if err != nil {
		return err
	}
	stamps, err := pyenv.TakeStamps(gen.abs())
	if err != nil {
		return err
	}
	if err := t.store.WriteFile(layout.Stamps(gen.rel), stamps, 0o600); err != nil {
		return err
	}
	list := pyenv.EncodeBytecodeList(t.bytecode.sums)
	if err := t.store.WriteFile(layout.BytecodeList(gen.rel), list, 0o600); err != nil {
		return err
	}
	failpoint.Hit(failpoint.SealStamped)
	if err := atomicfile.SyncTree(t.store, gen.rel); err != nil {
		return err
	}
	if err := syncDir(t.store, gen.dir()); err != nil {
		return err
	}
	if atomicfile.SyncTreeSyncsAll(t.store) {
		for _, e := range t.entries {
			_ = e.MarkDurable() // without it they are verified once after the next start of the machine
		}
	}
	failpoint.Hit(failpoint.SealSynced)
	config, _ := pyenv.ReadConfig(gen.abs()) // without a pyvenv.cfg the creator stays empty
	text, err := pyenv.EncodeSeal(pyenv.Seal{
		Digest: s.Digest, Python: s.Python, Base: s.Base, Created: t.o.Now().UTC().Format(time.RFC3339),
		Installer: config.Creator, Prefix: gen.abs(), Packages: t.withWheels(expected(s).Packages),
		Conda: s.Conda, CondaDists: byConda, Skeleton: skeleton, Bytecode: sha256.Sum256(list),
	})
	if err != nil {
		return err
	}
	return atomicfile.Write(t.store, layout.Seal(gen.rel), 0o600, text)
}

// expected returns the content that a generation must have before it is sealed.
func expected(s resources.Seal) pyenv.Seal {
	packages := slices.Clone(s.Packages)
	slices.SortFunc(packages, func(a, b facts.Package) int { return strings.Compare(a.Name, b.Name) })
	return pyenv.Seal{Packages: packages, Conda: s.Conda}
}

// withWheels sets the wheels from which packages were installed, for a later verification.
func (t *task) withWheels(packages []facts.Package) []facts.Package {
	for i := range packages {
		for _, e := range t.entries {
			if e.Name == packages[i].Name {
				packages[i].Wheel = e.SHA256
			}
		}
	}
	return packages
}

// checkDuplicates returns an error for distributions that are in both parts of a lock.
// `reconcile lock` excludes them only if the conda package has the same name.
func checkDuplicates(gen place, s resources.Seal) error {
	if len(s.Conda) == 0 {
		return nil
	}
	found, err := pyenv.DuplicateDists(gen.abs(), s.Packages)
	if err != nil || len(found) == 0 {
		return nil // an error is damage, which is checked next
	}
	var list []string
	for _, f := range found {
		list = append(list, fmt.Sprintf("%s: from the conda package %s and from the index", f.Dist, f.Conda))
	}
	return &diag.Problem{
		Code: "apply.twice", Summary: "the lock contains distributions twice, and one overwrote the other", Found: strings.Join(list, "\n"),
		Hint: "remove it from `packages` or from `conda_packages`, then run `reconcile lock`; the active generation was not changed",
	}
}

// writeEntryPoints writes the launchers and activation scripts of a generation, and
// returns the distributions that conda packages contain.
func (t *task) writeEntryPoints(gen place, s resources.Seal) (byConda []facts.Package, err error) {
	if err := t.writePip(gen, len(s.Conda) > 0); err != nil {
		return nil, err
	}
	entry := entryPoints{bin: filepath.Join(gen.abs(), "bin"), settings: t.settings(s.Variables)}
	if len(s.Conda) > 0 {
		entry.prefix = gen.abs()
		if byConda, err = pyenv.CondaDists(gen.abs()); err != nil {
			return nil, err
		}
		if err := t.writeCondaFiles(gen, entry); err != nil {
			return nil, err
		}
	}
	return byConda, t.writeLaunchers(gen, entry)
}

// firstFiles joins the lines for the first ten files, and the number of the others.
func firstFiles(lines []string) string {
	const most = 10
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

func damageProblem(damage []facts.Damage) error {
	found := make([]string, len(damage))
	for i, d := range damage {
		found[i] = strings.TrimSpace(strings.Join([]string{d.What, d.Dist, d.Path}, " "))
	}
	return &diag.Problem{
		Code: "apply.seal", Summary: "the installed files differ from the lock", Found: firstFiles(found),
		Hint: "run `reconcile apply` again, which unpacks a damaged package again; if that fails, a package changes files while it is imported; the active generation was not changed",
	}
}

// writeIfAbsent writes a file unless it exists.
func (t *task) writeIfAbsent(name, text string, mode fs.FileMode) error {
	if _, err := t.store.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return t.createFile(name, text, mode)
}

// writeLaunchers writes launchers and activation scripts, which use the real path of
// the generation whatever link leads to them.
func (t *task) writeLaunchers(gen place, entry entryPoints) error {
	folder := layout.Launchers(gen.rel)
	if err := t.store.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	// Modes do not depend on the umask, for other users of the group.
	for _, dir := range []string{path.Dir(folder), folder} {
		if err := t.store.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	names, err := pyenv.Scripts(gen.abs())
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := t.createFile(path.Join(folder, name), entry.program(name), 0o755); err != nil {
			return err
		}
	}
	for name, text := range entry.activators() {
		if err := t.createFile(path.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// createFile writes a new file. An existing one is from a package and may be a hard link
// to the cache and to other generations.
func (t *task) createFile(name, text string, mode fs.FileMode) error {
	f, err := t.store.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return &diag.Problem{
			Code: "apply.occupied", Summary: "a package contains a file that reconcile writes", Found: name,
			Hint: "remove that package from the manifest; the active generation was not changed",
		}
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Chmod(mode), f.Close())
}
