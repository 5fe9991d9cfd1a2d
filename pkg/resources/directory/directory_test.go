package directory_test

import (
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, directory.Kind) }

func TestRemovals(t *testing.T) { resourcetest.Removals(t, directory.Kind) }

// TestLinkHint checks that the hint for a link is the entry of the manifest that keeps the
// directory where its content is.
func TestLinkHint(t *testing.T) {
	tests := map[facts.Path]string{
		{Path: "models", Type: facts.Symlink, Target: "/big/models"}:               "`hosts: {gpu1: {allow_paths: [/big/models], directories: {models: {path: /big/models}}}}`",
		{Path: "models", Type: facts.Symlink, Target: "/big disk"}:                 "`hosts: {gpu1: {allow_paths: [\"/big disk\"], directories: {models: {path: \"/big disk\"}}}}`",
		{Path: "models", Type: facts.Absent, Parent: "file models"}:                "move it away",
		{Path: "models", Type: facts.Symlink, Target: "../big/models"}:             "use the target of the link as the path",
		{Path: "a/models", Type: facts.Absent, Parent: "link a -> /big"}:           "path: /big/models}",
		{Path: "/mnt/models", Type: facts.Symlink, Target: "../scratch/me/models"}: "path: /scratch/me/models}",
	}
	for actual, want := range tests {
		s := &directory.Spec{Path: actual.Path, Name: "models", Host: "gpu1"}
		c := s.Diff(facts.NewView(facts.Of(actual), s.Reads()))
		if c.Problem == nil || !strings.Contains(c.Problem.Hint, want) || strings.Contains(c.Problem.Hint, "mv models") {
			t.Errorf("%+v: %+v", actual, c.Problem)
		}
	}
}
