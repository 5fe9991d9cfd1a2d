package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// TestAuditedFileIsData checks that a file of results that is not one has no results.
func TestAuditedFileIsData(t *testing.T) {
	state := t.TempDir()
	for text, want := range map[string]int{
		`{"version":1,"results":[{"environment":"a","vulnerabilities":2},{"environment":"b","vulnerabilities":-1}]}`: 1,
		`{"version":2,"results":[{"environment":"a"}]}`:                                                              0, `[]`: 0, ``: 0, strings.Repeat(" ", maxAuditedBytes+1): 0,
	} {
		if err := os.WriteFile(filepath.FromSlash(layout.Audited(state)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := len(readAudited(state).Results); got != want {
			t.Errorf("%.40q has %d results, want %d", text, got, want)
		}
	}
	if err := os.Remove(layout.Audited(state)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", layout.Audited(state)); err != nil {
		t.Fatal(err)
	}
	if got := readAudited(state).Results; got != nil {
		t.Errorf("a link has the results %v", got)
	}
}

func TestPackagesDigest(t *testing.T) {
	a, b := lock.Package{Name: "a", Version: "1"}, lock.Package{Name: "b", Version: "1"}
	of := func(list ...lock.Package) string { return PackagesDigest(&lock.Lock{Packages: list}).String() }
	if of(a, b) != of(b, a) {
		t.Error("the order has an effect")
	}
	if newer := (lock.Package{Name: "b", Version: "2"}); of(a, b) == of(a, newer) || of(a, b) == of(a) {
		t.Error("other packages have the same digest")
	}
}

func TestAuditedText(t *testing.T) {
	now := time.Date(2026, time.November, 30, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		a    Audited
		want string
	}{
		{Audited{Time: now, Unchecked: 3}, ""},
		{Audited{Time: now, Vulnerabilities: 1}, "1 known vulnerability (audited just now)"},
		{Audited{Time: now.Add(-3 * time.Hour), Vulnerabilities: 2, Yanked: 1}, "2 known vulnerabilities, 1 withdrawn release (audited 3 hours ago)"},
		{Audited{Time: now.Add(-25 * time.Hour), Yanked: 2}, "2 withdrawn releases (audited 1 day ago)"},
		{Audited{Time: now.Add(time.Hour), Yanked: 2}, "2 withdrawn releases (audited just now)"},
	} {
		if got := tt.a.Text(now); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
