package lock_test

import (
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

func TestRequirements(t *testing.T) {
	l, err := lock.Decode([]byte(sample), "locks/pylock.local.toml")
	if err != nil {
		t.Fatal(err)
	}
	pins := []lock.Requirement{
		{Name: "Attrs", Specifier: "==26.1.0", Why: "classes\r\n--index-url http://evil\u2028second \u202eline\x1b[2J\x00 \\"},
		{Name: "lxml", Specifier: "==6.1.1", Extras: []string{"html_clean", "cssselect"}, Marker: "python_version < '3.11'"},
	}
	golden.Check(t, "testdata/requirements.txt", []byte(lock.Requirements("lora\nfinetune", "local", pins, l)))
	for line := range strings.Lines(lock.Requirements("p", "e", pins, nil)) {
		if strings.HasPrefix(line, "-") || strings.Contains(line, "triton") {
			t.Errorf("unexpected line %q", line)
		}
	}
}

// TestRequirementsOfSources writes direct references as pip reads them, with locked commits.
func TestRequirementsOfSources(t *testing.T) {
	commit := strings.Repeat("0123456789", 4)
	l := &lock.Lock{Packages: []lock.Package{
		{Name: "forked", Version: "1.0", Build: &lock.Build{Source: lock.Source{Git: "https://host.example/forked.git", Commit: commit, Subdirectory: "py"}}},
	}}
	text := lock.Requirements("p", "e", []lock.Requirement{
		{Name: "forked", URL: "git+https://host.example/forked.git@main#subdirectory=py"},
		{Name: "mine", URL: "./"}, {Name: "lib", URL: "./libs/lib/"},
		{Name: "w", URL: "./wheels/w-1.0-py3-none-any.whl"}, {Name: "s", URL: "./s-1.0.tar.gz"},
		{Name: "far", URL: "https://host.example/far-1.0-py3-none-any.whl"},
	}, l)
	for _, want := range []string{
		"forked @ git+https://host.example/forked.git@" + commit + "#subdirectory=py", "-e .", "-e ./libs/lib",
		"./wheels/w-1.0-py3-none-any.whl", "./s-1.0.tar.gz", "far @ https://host.example/far-1.0-py3-none-any.whl",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("there is no line %q in\n%s", want, text)
		}
	}
}

func TestRequest(t *testing.T) {
	got := lock.Requirement{Name: "Lxml_HTML", Specifier: "==1.0", Extras: []string{"B_b", "a", "a"}, Marker: "x"}.Request()
	if want := "lxml-html[a,b-b]==1.0 ; x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzRequirements(f *testing.F) {
	f.Add("why", "name")
	f.Add("a\nb\r\u0085c\u2028d", "e\x00\\")
	f.Fuzz(func(t *testing.T, why, project string) {
		text := lock.Requirements(project, project, []lock.Requirement{{Name: "a", Specifier: "==1", Why: why}}, nil)
		if strings.Contains(text, "\\\n") {
			t.Errorf("a line continues on the next: %q", text)
		}
		rest := []string{}
		for line := range strings.Lines(strings.Map(anyLineEnd, text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				rest = append(rest, line)
			}
		}
		if len(rest) != 1 || rest[0] != "a==1" {
			t.Errorf("a comment contains a line end: %q", rest)
		}
	})
}

// anyLineEnd turns every character that some parser treats as a line end into
// a newline.
func anyLineEnd(c rune) rune {
	if strings.ContainsRune("\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029\x00", c) {
		return '\n'
	}
	return c
}
