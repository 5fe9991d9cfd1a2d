package foreignlock

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// names returns the packages of a lock, "name==version".
func names(l *lock.Lock) string {
	var list []string
	for _, p := range l.Packages {
		list = append(list, p.Name+"=="+p.Version)
	}
	return strings.Join(slices.Compact(list), " ")
}

// codes returns the codes of the problems of err.
func codes(err error) string {
	var list []string
	for _, p := range diag.Problems(err) {
		list = append(list, p.Code)
	}
	return strings.Join(list, " ")
}

// TestPoetryInstallsTheSame compares with `poetry install --dry-run --no-root --only main,GROUPS`
// of the version in the name of the directory, on linux-x86_64.
func TestPoetryInstallsTheSame(t *testing.T) {
	for _, c := range []struct{ dir, python, extras, groups, want string }{
		{"poetry-2.5", "3.11.7", "", "", "app==1.0 leaf==1.0 split==2.0"},
		{"poetry-2.5", "3.11.7", "web", "", "app==1.0 fast==1.0 http==1.0 leaf==1.0 split==2.0"},
		{"poetry-2.5", "3.11.7", "web", "dev", "app==1.0 fast==1.0 http==1.0 leaf==1.0 lint==1.0 split==2.0"},
		{"poetry-2.5", "3.11.7", "", "docs", "app==1.0 docs==1.0 frames==4.1 http==1.0 leaf==1.0 split==2.0"},
		{"poetry-2.5", "3.11.7", "", "dev type-check", "app==1.0 back==1.0 leaf==1.0 lint==1.0 split==2.0"},
		{"poetry-2.5", "3.11.7", "web", "docs dev", "app==1.0 docs==1.0 fast==1.0 frames==4.1 http==1.0 leaf==1.0 lint==1.0 split==2.0"},
		{"poetry-1.8", "3.11.7", "", "", "app==1.0 leaf==1.0 split==2.0"},
		{"poetry-1.8", "3.11.7", "web", "", "app==1.0 frames==4.1 http==1.0 leaf==1.0 split==2.0"},
		{"poetry-1.8", "3.11.7", "quick", "dev", "app==1.0 fast==1.0 leaf==1.0 lint==1.0 split==2.0"},
		{"poetry-1.8", "3.11.7", "web quick", "dev", "app==1.0 fast==1.0 frames==4.1 http==1.0 leaf==1.0 lint==1.0 split==2.0"},
		{"poetry-2.5", "3.10.13", "", "", "app==1.0 back==1.0 leaf==1.0 split==2.0"},
		{"poetry-2.5", "3.10.13", "web", "", "app==1.0 back==1.0 fast==1.0 http==1.0 leaf==1.0 split==2.0"},
		{"poetry-2.5", "3.10.13", "web", "dev", "app==1.0 back==1.0 fast==1.0 http==1.0 leaf==1.0 lint==1.0 split==2.0"},
		{"poetry-2.5", "3.10.13", "", "docs", "app==1.0 back==1.0 docs==1.0 frames==4.1 http==1.0 leaf==1.0 split==2.0"},
		{"poetry-2.5", "3.10.13", "", "dev type-check", "app==1.0 back==1.0 leaf==1.0 lint==1.0 split==2.0"},
		{"poetry-2.5", "3.10.13", "web", "docs dev", "app==1.0 back==1.0 docs==1.0 fast==1.0 frames==4.1 http==1.0 leaf==1.0 lint==1.0 split==2.0"},
		{"poetry-1.8", "3.10.13", "", "", "app==1.0 back==1.0 leaf==1.0 split==2.0"},
		{"poetry-1.8", "3.10.13", "web", "", "app==1.0 back==1.0 frames==4.1 http==1.0 leaf==1.0 split==2.0"},
		{"poetry-1.8", "3.10.13", "quick", "dev", "app==1.0 back==1.0 fast==1.0 leaf==1.0 lint==1.0 split==2.0"},
		{"poetry-1.8", "3.10.13", "web quick", "dev", "app==1.0 back==1.0 fast==1.0 frames==4.1 http==1.0 leaf==1.0 lint==1.0 split==2.0"},
	} {
		project, err := os.ReadFile("testdata/" + c.dir + "/pyproject.toml")
		if err != nil {
			t.Fatal(err)
		}
		l, err := Read(os.DirFS("testdata"), c.dir+"/poetry.lock", Selection{
			Project: project, Extras: strings.Fields(c.extras), Groups: strings.Fields(c.groups), Python: c.python, Platforms: []string{"linux-x86_64"},
		})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
		} else if got := names(l); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

// TestPoetryFormatsAgree reads one lock by its groups and markers, and as the older format that
// has neither.
func TestPoetryFormatsAgree(t *testing.T) {
	project, err := os.ReadFile("testdata/poetry-2.5/pyproject.toml")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/poetry-2.5/poetry.lock")
	if err != nil {
		t.Fatal(err)
	}
	older := []byte(strings.Replace(string(data), `lock-version = "2.1"`, `lock-version = "2.0"`, 1))
	for _, platform := range []string{"linux-x86_64", "macos-arm64"} {
		for _, python := range []string{"3.9", "3.11"} {
			for _, s := range []string{"", "dev", "docs", "type-check", "dev docs"} {
				for _, extra := range []string{"", "web"} {
					selection := Selection{Project: project, Extras: strings.Fields(extra), Groups: strings.Fields(s), Python: python, Platforms: []string{platform}}
					a, errA := Decode(data, "poetry.lock", selection)
					b, errB := Decode(older, "poetry.lock", selection)
					if codes(errA) != codes(errB) || errA == nil && names(a) != names(b) {
						t.Errorf("%s, Python %s, %q, %q: %v, %v", platform, python, extra, s, errA, errB)
					}
				}
			}
		}
	}
}

// TestPoetryIsStale changes what belongs to the content hash, and what does not.
func TestPoetryIsStale(t *testing.T) {
	for _, c := range []struct {
		dir, before, after string
		isStale            bool
	}{
		{"poetry-2.5", "package-mode = false", "package-mode = true", false},
		{"poetry-2.5", "😀", "", false},
		{"poetry-2.5", "app (>=1.0)", "app (>=1.1)", true},
		{"poetry-2.5", `"back"`, `"leaf"`, true},
		{"poetry-2.5", `lint = "*"`, "", true},
		{"poetry-1.8", "package-mode = false", "", false},
		{"poetry-1.8", "größe", "große", true},
		{"poetry-1.8", `quick = ["fast"]`, "", true},
	} {
		project, err := os.ReadFile("testdata/" + c.dir + "/pyproject.toml")
		if err != nil {
			t.Fatal(err)
		}
		edited := strings.Replace(string(project), c.before, c.after, 1)
		_, err = Read(os.DirFS("testdata/"+c.dir), "poetry.lock", Selection{Project: []byte(edited), Python: "3.11", Platforms: []string{"linux-x86_64"}})
		if edited == string(project) || (codes(err) == "lock.foreign-stale") != c.isStale {
			t.Errorf("%s: %q -> %q: %v", c.dir, c.before, c.after, err)
		}
	}
}

func TestPoetryConstraints(t *testing.T) {
	for _, c := range []struct {
		constraint, version string
		want                bool
	}{
		{"*", "1", true}, {"", "1", true}, {"^1.2.3", "1.9", true}, {"^1.2.3", "2.0", false}, {"^0.2.3", "0.3", false}, {"^0.0.3", "0.0.4", false}, {"^0", "0.9", true},
		{"~1.2.3", "1.2.9", true}, {"~1.2.3", "1.3", false}, {"~1", "1.9", true}, {"1.2", "1.2.0", true}, {"==1.*", "1.5", true}, {">= 3.8, < 4", "3.9", true}, {">=3.8 <4", "4.0", false},
		{"<2 || >=3", "3.1", true}, {"<2 | >=3", "2.1", false}, {"~=1.4.2", "1.4.9", true}, {"!=1.5", "1.5", false},
	} {
		if got := poetryAllows(c.constraint, c.version); got != c.want {
			t.Errorf("%q allows %s: %v", c.constraint, c.version, got)
		}
	}
}
