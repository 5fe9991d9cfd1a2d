package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/doctor"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/explain"
	"github.com/reconcile-ml/reconcile/internal/nearest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/all"
)

func explainCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "explain [ADDR|CODE]",
		Example: "  reconcile explain\n  reconcile explain lock.stale\n  reconcile explain directory.data_raw",
		Short:   "explain why a resource changes, or the code of a problem",
		Long: long(`
Explains a code such as disk.low in general, and what to do about it. A problem has its code
in parentheses at the end of its first line, and as
"code" in JSON. Without a code, all are listed by area.

For a resource, such as directory.data_raw, it explains why it changes or not: the line of the
manifest that declares it, the facts of this machine, its recorded state, its dependencies and
dependents, the steps, and the things that are kept.`, readOnly, exit.Done, exit.Error),
		Args:              argCount(0, 1, "one address or code, if any"),
		ValidArgsFunction: a.completeExplain,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.explainAll()
			}
			if isAddress(args[0]) {
				return a.explainAddress(cmd.Context(), args[0])
			}
			return a.explainCode(args[0])
		},
	}
}

// explainCode prints what one code means.
func (a *app) explainCode(code string) error {
	explained := explain.Codes()
	e, ok := explained[code]
	if name, isFinding := doctor.CheckTitle(code); !ok && isFinding {
		ok, e = true, diag.Explanation{
			Means: "A line of `reconcile doctor`, no problem by itself: " + name + ".",
			Do:    "Run `reconcile doctor`: its line has the finding and the remedy.",
		}
	}
	if !ok {
		return unknownCode(code, explained)
	}
	one := report.ExplainedCode{Code: code, Area: explain.AreaOf(code).Title, Explanation: e}
	if !a.json {
		return report.Explanation(a.out, one, a.report(a.out))
	}
	return report.JSON(a.out, map[string]any{"version": 1, "codes": []report.ExplainedCode{one}})
}

// isAddress reports whether a word can name a resource, and is no code of a problem.
func isAddress(word string) bool {
	kind, name, ok := strings.Cut(word, ".")
	_, known := all.Find(kind)
	_, code := explain.Codes()[word]
	return ok && name != "" && known && !code
}

// explainAddress prints why a resource changes, or does not. A line of doctor can have the
// form of an address: disk.storage is both, and the resource is explained if it exists.
func (a *app) explainAddress(ctx context.Context, word string) error {
	_, finding := doctor.CheckTitle(word)
	m, err := a.observe(ctx, "")
	switch {
	case err != nil && (finding || nearestCode(word) != ""): // outside of a project only codes can be meant
		return a.explainCode(word)
	case err != nil:
		return err
	}
	plan, err := m.Plan(ctx, planner.Selection{})
	if err != nil {
		return err
	}
	var addr resources.Addr
	var r report.Reason
	ok := false
	if addr.UnmarshalText([]byte(word)) == nil {
		r, ok = explain.Reason(m, plan, addr)
	}
	switch {
	case !ok && finding:
		return a.explainCode(word)
	case !ok:
		return unknownAddress(m, plan, word)
	case a.json:
		return report.WhyJSON(a.out, r)
	}
	o := a.report(a.out)
	o.ReadText = m.ReadText()
	return report.Why(a.out, r, o)
}

// explainAll lists all codes by area.
func (a *app) explainAll() error {
	explained := explain.Codes()
	var list []report.ExplainedCode
	for _, area := range explain.Areas() {
		for _, code := range area.Codes {
			list = append(list, report.ExplainedCode{Code: code, Area: area.Title, Explanation: explained[code]})
		}
	}
	if a.json {
		return report.JSON(a.out, map[string]any{"version": 1, "codes": list})
	}
	return report.Codes(a.out, list, a.report(a.out))
}

// unknownCode returns the error for a word that is no code, with the nearest code or those
// of its area.
func unknownCode(word string, explained diag.Explanations) error {
	if near := nearest.Word(word, slices.Sorted(maps.Keys(explained))); near != "" {
		return exit.Usage("there is no code %q; did you mean %s?", word, near)
	}
	if near := explain.AreaOf(word).Codes; near != nil { // "lock.x", or "lock" alone
		return exit.Usage("there is no code %q; there are %s", word, strings.Join(near, ", "))
	}
	return exit.Usage("there is no code %q; `reconcile explain` lists all", word)
}

// completeExplain completes addresses, in a project, and codes.
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

// completeCodes completes the codes, each with its meaning.
func completeCodes(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	explained := explain.Codes()
	var words []string
	for _, code := range slices.Sorted(maps.Keys(explained)) {
		words = append(words, cobra.CompletionWithDesc(code, explained[code].Means))
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// explainHint returns a line for a terminal that tells how to look up the first explained
// code of an error, "" for none.
func explainHint(err error, o report.Options) string {
	if !o.Terminal {
		return ""
	}
	explained := explain.Codes()
	for _, p := range diag.Problems(err) {
		if _, ok := explained[p.Code]; ok && strings.Contains(p.Code, ".") {
			return "`reconcile explain " + p.Code + "` explains it"
		}
	}
	return ""
}

// nearestCode returns the code that a word may be a misspelling of, "" for none.
func nearestCode(word string) string {
	var words []string
	for code := range explain.Codes() {
		words = append(words, code)
	}
	slices.Sort(words)
	return nearest.Word(word, words)
}

// unknownAddress returns the error for a word that names no resource, with the nearest
// address or code.
func unknownAddress(m *session.Machine, plan *planner.Plan, word string) error {
	var words []string
	for i := range m.Resources {
		words = append(words, m.Resources[i].Addr.String())
	}
	for i := range plan.Items {
		words = append(words, plan.Items[i].Resource.Addr.String())
	}
	for code := range explain.Codes() {
		words = append(words, code)
	}
	slices.Sort(words)
	if near := nearest.Word(word, words); near != "" {
		return exit.Usage("%q is neither the address of a resource here nor the code of a problem; did you mean %s?", word, near)
	}
	return exit.Usage("%q is neither the address of a resource here nor the code of a problem; `reconcile status` lists the addresses, `reconcile explain` the codes", word)
}
