package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/packages"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

func treeCommand(a *app) *cobra.Command {
	var s packages.TreeSelection
	var platform string
	cmd := &cobra.Command{
		Use:     "tree",
		Example: "  reconcile tree\n  reconcile tree --depth 1 --env remote\n  reconcile tree --invert numpy",
		Short:   "print the dependencies of the locked packages",
		Long: long(`
Prints the lock of an environment as a tree: the requested packages in the order of the
manifest, below each the packages that it depends on, conda packages too. (*) marks a package
whose dependencies are printed above. With --invert it prints what depends on a package, up
to the requests. The environment is that of --env, else the only one, else that of this
machine; the platform is that of --platform, else that of this machine if it is locked.`, readOnly, exit.Done, exit.Error),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("depth") {
				s.Depth = -1
			} else if s.Depth < 0 {
				return exit.Usage("--depth takes a whole number from 0, and got %d", s.Depth)
			}
			e, err := a.lockedPackages(cmd.Context())
			if err != nil {
				return err
			}
			on, err := e.Platform(platform)
			if err != nil {
				return err
			}
			g, err := e.Graph(on)
			if err != nil {
				return err
			}
			tree, err := e.Tree(g, on, s)
			if err != nil {
				return err
			}
			if a.json {
				return report.JSON(a.out, packages.NewTreeDocument(e, on, s, tree))
			}
			return a.showTree(e, on, s, tree)
		},
	}
	cmd.Flags().IntVar(&s.Depth, "depth", 0, "print `N` levels below the first (default: all)")
	cmd.Flags().StringVar(&s.Invert, "invert", "", "print what depends on `PACKAGE`")
	a.platformFlag(cmd, &platform)
	_ = cmd.RegisterFlagCompletionFunc("invert", a.lockedNames) // it fails only if the flag did not exist
	return cmd
}

// platformFlag registers --platform.
func (a *app) platformFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "platform", "", "only for `PLATFORM` of the lock, such as linux-x86_64")
	_ = cmd.RegisterFlagCompletionFunc("platform", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		e, err := a.openPackages(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return e.Locked.Platforms, cobra.ShellCompDirectiveNoFileComp
	}) // it fails only if the flag did not exist
}

// lockedNames completes the locked packages.
func (a *app) lockedNames(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	e, err := a.openPackages(cmd.Context())
	if err != nil || len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return e.Names(), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) openPackages(ctx context.Context) (*packages.Environment, error) {
	p, err := session.Open(ctx, a.config(), "")
	if err != nil {
		return nil, err
	}
	return packages.Open(p)
}

// lockedPackages opens the lock of an environment, and prints that it is stale.
func (a *app) lockedPackages(ctx context.Context) (*packages.Environment, error) {
	e, err := a.openPackages(ctx)
	if err == nil && e.Stale != nil && !a.quiet {
		err = writeLine(a.err, "Note: %s; `reconcile lock` updates it.", e.Stale.Summary)
	}
	return e, err
}

// showTree prints a tree.
func (a *app) showTree(e *packages.Environment, platform string, s packages.TreeSelection, tree []packages.Branch) error {
	if err := writeLine(a.out, "%s: %s, %s", e.Name, e.Locked.Path, platform); err != nil {
		return err
	}
	repeated, err := a.showBranches(s, tree, "")
	if err != nil {
		return err
	}
	if len(tree) == 0 {
		return writeLine(a.out, "No packages.")
	}
	if repeated {
		return writeLine(a.out, "(*) the packages below it are printed above")
	}
	return nil
}

// showBranches prints branches, each line after prefix, and reports whether one is repeated.
func (a *app) showBranches(s packages.TreeSelection, tree []packages.Branch, prefix string) (repeated bool, err error) {
	for i := range tree {
		b := &tree[i]
		line, below := "├── ", "│   "
		if i == len(tree)-1 {
			line, below = "└── ", "    "
		}
		if err := writeLine(a.out, "%s%s%s", prefix, line, branchText(b, s)); err != nil {
			return false, err
		}
		again, err := a.showBranches(s, b.Branches, prefix+below)
		if err != nil {
			return false, err
		}
		repeated = repeated || again || b.Repeated
	}
	return repeated, nil
}

// branchText returns the line of a package in a tree.
func branchText(b *packages.Branch, s packages.TreeSelection) string {
	text := packageText(b.Package)
	if s.Invert != "" {
		for _, r := range b.Requested {
			text += ", requested as " + r.Text
			if r.Pos.IsValid() {
				text += " in " + r.Pos.String()
			}
		}
	}
	if b.Repeated {
		text += " (*)"
	}
	return text
}

// packageText returns the name and version of a package, and where it is from.
func packageText(p *packages.Package) string {
	text := p.Name + " " + p.Version
	var from []string
	if p.Type != "python" {
		from = append(from, p.Type)
	}
	if p.Index != "" {
		from = append(from, "index "+p.Index)
	}
	if p.Source != "" {
		from = append(from, p.Source)
	}
	if len(from) > 0 {
		text += " (" + strings.Join(from, ", ") + ")"
	}
	return text
}
