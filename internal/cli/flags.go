package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/spf13/cobra"
)

// formatFlag registers --format with the formats of a command, the default first.
func formatFlag(cmd *cobra.Command, into *string, words ...string) {
	cmd.Flags().StringVar(into, "format", words[0], "print `FORMAT`: "+strings.Join(words, ", "))
	// It fails only if the flag did not exist.
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// format returns the format in which a command prints. --json is short for --format json;
// both make errors JSON too.
func (a *app) format(cmd *cobra.Command, asked string, words ...string) (string, error) {
	if !slices.Contains(words, asked) {
		return "", exit.Usage("there is no format %q; the formats are: %s", asked, strings.Join(words, ", "))
	}
	if a.json && cmd.Flags().Changed("format") && asked != "json" {
		return "", exit.Usage("--json and --format %s contradict each other", asked)
	}
	if a.json || asked == "json" {
		a.json = true
		return "json", nil
	}
	return asked, nil
}

// factsFlag registers --facts.
func factsFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "facts", "", "use the machine recorded in `FILE` (see `reconcile facts`)")
}

// allFlag registers --all.
func (a *app) allFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.all, "all", false, "all environments that match this machine")
}

// selectFlags are the patterns that select a part of the manifest.
type selectFlags struct {
	target, exclude, replace []string
}

func (s *selectFlags) register(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&s.target, "target", nil, "only `ADDR` and its dependencies; repeatable, * matches any characters")
	f.StringArrayVar(&s.exclude, "exclude", nil, "all but `ADDR` and its dependents; repeatable")
	f.StringArrayVar(&s.replace, "replace", nil, "recreate `ADDR`, a file or an environment, though it agrees; repeatable")
	for _, name := range []string{"target", "exclude", "replace"} {
		_ = cmd.RegisterFlagCompletionFunc(name, a.addressNames) // it fails only if the flag did not exist
	}
}

// selection returns the selection of the flags.
func (s *selectFlags) selection() planner.Selection {
	return planner.Selection{Target: s.target, Exclude: s.exclude, Replace: s.replace}
}

// addressNames completes the addresses of the manifest, and a pattern for each kind with
// several.
func (a *app) addressNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	t, err := a.target(cmd.Context(), "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, err := t.Resources()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	of := map[string]int{}
	for i := range list {
		r := &list[i]
		words = append(words, cobra.CompletionWithDesc(r.Addr.String(), r.Spec.Owns().Name))
		if of[r.Addr.Kind]++; of[r.Addr.Kind] == 2 {
			words = append(words, cobra.CompletionWithDesc(r.Addr.Kind+".*", "all of this kind"))
		}
	}
	slices.Sort(words)
	return words, cobra.ShellCompDirectiveNoFileComp
}

// lockFlags are the flags of every command that takes the project's lock.
type lockFlags struct {
	timeout time.Duration
	noLock  bool // go on where the file system does not keep locks
	jobs    int
}

func (o *lockFlags) registerTimeout(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&o.timeout, "lock-timeout", 0, "wait `DURATION`, such as 10m, for another run to end")
}

// applyFlags are the flags of the commands that apply a plan.
type applyFlags struct {
	lockFlags
	yes        bool
	detail     bool
	onConflict conflictPolicy // "" to ask, or to overwrite with -y
}

func (o *applyFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "apply the plan without asking")
	o.registerTimeout(cmd)
	cmd.Flags().BoolVar(&o.noLock, "no-lock", false, "go on where the file system cannot lock; no one else may run reconcile here")
	cmd.Flags().IntVar(&o.jobs, "jobs", 0, "make `N` changes at the same time (default: the number of cores)")
}

func (o *applyFlags) registerDetail(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.detail, "detail", false, "a block for every change, however many there are")
}

// A conflictPolicy is a flag that states what to do with a conflict: a file that was
// changed on this machine since reconcile wrote it, and that an apply would overwrite.
type conflictPolicy string

const (
	conflictFail      conflictPolicy = "fail"      // change nothing at all
	conflictOverwrite conflictPolicy = "overwrite" // as the plan shows; the old content is kept
	conflictAdopt     conflictPolicy = "adopt"     // keep the file, and record it as it is
	conflictSkip      conflictPolicy = "skip"      // keep the file
)

func conflictPolicies() []string {
	return []string{string(conflictFail), string(conflictOverwrite), string(conflictAdopt), string(conflictSkip)}
}

// String, Set and Type implement pflag.Value.
func (f *conflictPolicy) String() string { return string(*f) }

// Set accepts one of conflictPolicies.
func (f *conflictPolicy) Set(word string) error {
	if !slices.Contains(conflictPolicies(), word) {
		return fmt.Errorf("take one of %s", strings.Join(conflictPolicies(), ", "))
	}
	*f = conflictPolicy(word)
	return nil
}

// Type names the value of the flag.
func (f *conflictPolicy) Type() string { return "string" }
