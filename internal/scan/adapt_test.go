package scan

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestChangesOfAnEnvironment makes the changes that follow a lock that failed.
func TestChangesOfAnEnvironment(t *testing.T) {
	found, err := Folder(t.Context(), fstest.MapFS{"requirements.txt": {Data: []byte("numpy\n")}}, Input{
		Name: "x", Platform: "linux-x86_64", Pythons: []string{"3.11", "3.13"}, Fetched: []string{"3.12", "3.14"}, Glibc: "2.31", Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	has := func(want string) {
		t.Helper()
		if text := string(found.Manifest()); !strings.Contains(text, want) {
			t.Errorf("the manifest has no %q:\n%s", want, text)
		}
	}
	has(`python: "3.13" # the newest that this machine has`)

	// The next version is one that this machine has; after the last one the first one is taken
	// again, with its reason.
	if before, after := found.NextPython("local", []string{"tokenizers"}); before != "3.13" || after != "3.11" {
		t.Errorf("from %s to %s", before, after)
	}
	has(`python: "3.11" # the newest for which`)
	if _, after := found.NextPython("local", []string{"tokenizers"}); after != "" {
		t.Errorf("then %s", after)
	}
	has(`python: "3.13" # the newest that this machine has`)
	if lacking := found.FirstPython("local"); strings.Join(lacking, " ") != "tokenizers" {
		t.Errorf("without wheels for the first version: %q", lacking)
	}

	if !found.CanBuild("local", []string{"b", "a"}) {
		t.Error("nothing can be built")
	}
	found.Build("local", []string{"b"})
	found.Build("local", []string{"a", "b"})
	has("build: [a, b] #")
	if found.CanBuild("local", []string{"b", "a"}) || !found.CanBuild("local", []string{"a", "c"}) {
		t.Error("a package that may be built is one that may not")
	}

	// This machine has glibc 2.31.
	if found.SetSystem("local", "glibc", "2.34", "x needs it") {
		t.Error("an environment for this machine needs a newer glibc than it has")
	}
	if !found.SetSystem("local", "glibc", "2.31", "x needs it") || found.SetSystem("local", "glibc", "2.31", "x needs it") {
		t.Error("glibc is not set once")
	}
	has(`glibc: "2.31" # x needs it`)
}
