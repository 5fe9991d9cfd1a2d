package lock_test

import (
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/lock"
)

func TestCheckURLNamesTheProblemOfADirectReference(t *testing.T) {
	digest, commit := strings.Repeat("a1", 32), strings.Repeat("c", 40)
	for _, valid := range []string{
		"./", "./libs/x", "./wheels/x-1.0-py3-none-any.whl", "./x-1.0.zip#sha256=" + digest, "https://host.test/x-1.0-py3-none-any.whl",
		"https://host.test/x-1.0.tar.gz#subdirectory=y&sha256=" + digest, "git+https://host.test/x.git@" + commit + "#subdirectory=y", "git+ssh://git@host.test/x@" + commit,
	} {
		if problem, _ := lock.CheckURL(valid); problem != "" {
			t.Errorf("%s: %s", valid, problem)
		}
	}
	for text, want := range map[string]string{
		"./../x": "not one of the project", "../x": "neither", "http://host.test/x-1.0.zip": "neither", "https://host.test/x.exe": "not that of a wheel",
		"https://user@host.test/x-1.0.zip": "credentials", "https://host.test/x-1.0.zip#sha256=12": "64 hexadecimal digits", "./x-1.0.zip#sha256=" + strings.Repeat("x", 64): "64 hexadecimal digits",
		"git+https://host.test/x.git@main": "full commit", "git+https://user@host.test/x.git@" + commit: "credentials", "git+http://host.test/x@" + commit: "https, ssh or file",
	} {
		if problem, hint := lock.CheckURL(text); !strings.Contains(problem, want) || hint == "" {
			t.Errorf("%s: problem %q, hint %q, want %q", text, problem, hint, want)
		}
	}
}
