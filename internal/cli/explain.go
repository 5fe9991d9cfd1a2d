package cli

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/nearest"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "explain [ADDR|CODE]",
		Example: "  reconcile explain\n  reconcile explain lock.stale\n  reconcile explain directory.data_raw",
		Short:   "say why a resource changes, or what the code of a problem means",
		Long: long(`
Says what a code such as disk.low means, whatever the problem at hand, and what to do
about it. The code stands in parentheses behind the first line of a problem, and as
"code" in JSON. Without a code, all are listed by area.

Of a resource, such as directory.data_raw, it says why it changes or does not: the line of
the manifest that asks for it, what was found on this machine, what is remembered of it,
what it waits for and what waits for it, the steps, and what stays.`, readOnly, exitDone, exitError),
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeExplain,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.explainAll()
			}
			if isAddress(args[0]) {
				return a.explainAddress(cmd.Context(), args[0])
			}
			return a.explain(args[0])
		},
	}
}

// explain prints what one code means.
func (a *app) explain(code string) error {
	explained := codes()
	e, ok := explained[code]
	if name, isFinding := findingNamed(code); !ok && isFinding {
		ok, e = true, diag.Explanation{
			Means: "A line of `reconcile doctor`, no problem by itself: " + name + ".",
			Do:    "Run `reconcile doctor`: the line says what was found, and what to do where something is wrong.",
		}
	}
	if !ok {
		return unknownCode(code, explained)
	}
	one := report.ExplainedCode{Code: code, Area: areaTitle(areaOf(code)), Explanation: e}
	if !a.json {
		return report.Explanation(a.out, one, a.report(a.out))
	}
	return report.JSON(a.out, map[string]any{"version": 1, "codes": []report.ExplainedCode{one}})
}

// explainAll lists all codes by area.
func (a *app) explainAll() error {
	explained := codes()
	of, sorted := byArea(explained)
	var list []report.ExplainedCode
	for _, area := range of {
		for _, code := range sorted[area.name] {
			list = append(list, report.ExplainedCode{Code: code, Area: area.title, Explanation: explained[code]})
		}
	}
	if a.json {
		return report.JSON(a.out, map[string]any{"version": 1, "codes": list})
	}
	return report.Codes(a.out, list, a.report(a.out))
}

// unknownCode says that a word is no code, and what it may be instead: a code that looks
// like it, or one of its area.
func unknownCode(word string, explained diag.Explanations) error {
	_, sorted := byArea(explained)
	if near := nearest.Word(word, slices.Sorted(maps.Keys(explained))); near != "" {
		return usage("there is no code %q; did you mean %s?", word, near)
	}
	if of := sorted[cmp.Or(areaOf(word), word)]; of != nil { // "lock.x", or "lock" alone
		return usage("there is no code %q; there are %s", word, strings.Join(of, ", "))
	}
	return usage("there is no code %q; `reconcile explain` lists all", word)
}

// completeExplain offers addresses, where there is a project, and codes.
func (a *app) completeExplain(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	words, directive := completeCodes(cmd, args, word)
	if len(args) > 0 {
		return words, directive
	}
	addresses, _ := a.addressNames(cmd, args, word)
	for _, address := range addresses {
		if !strings.Contains(address, ".*\t") {
			words = append(words, address)
		}
	}
	return words, directive
}

// completeCodes offers the codes to a shell, each with what it means.
func completeCodes(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	explained := codes()
	var words []string
	for _, code := range slices.Sorted(maps.Keys(explained)) {
		words = append(words, cobra.CompletionWithDesc(code, explained[code].Means))
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// more is the line that follows what went wrong where a person reads it: how to look
// up the first code that is explained, "" for none. Of what is printed, a code is the
// one thing that can be searched for; scripts and files have no use for the line.
func more(err error, o report.Options) string {
	if !o.Terminal {
		return ""
	}
	explained := codes()
	for _, p := range diag.Problems(err) {
		if _, ok := explained[p.Code]; ok && areaOf(p.Code) != "" {
			return "`reconcile explain " + p.Code + "` tells more"
		}
	}
	return ""
}
