package facts

import (
	"strings"
	"testing"
)

func TestReference(t *testing.T) {
	for _, tt := range []struct {
		r       Reference
		subject string
		remedy  string
	}{
		{Reference{Kind: "kernel", Path: "/home/me/.local/share/jupyter/kernels/train/kernel.json"}, "the Jupyter kernel train", "`reconcile kernel --name train` "},
		{Reference{Kind: "pre-commit", Path: "/p/.git/hooks/pre-push"}, "the git hook /p/.git/hooks/pre-push", "`reconcile run -- pre-commit install --hook-type pre-push` "},
		{Reference{Kind: "hook", Path: "/p/.git/hooks/post-merge"}, "the git hook /p/.git/hooks/post-merge", "replace the path in it "},
		{Reference{Kind: "venv", Path: "/p/it's"}, "the venv /p/it's", "`rm '/p/it'\\''s'/bin/python* && reconcile run -- python -m venv --upgrade '/p/it'\\''s'` "},
	} {
		if got := tt.r.Subject(); got != tt.subject {
			t.Errorf("got %q, want %q", got, tt.subject)
		}
		if got := tt.r.Remedy(); !strings.HasPrefix(got, tt.remedy) {
			t.Errorf("got %q, want %q", got, tt.remedy)
		}
	}
}
