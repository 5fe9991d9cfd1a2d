// Package resourcetest tests the contract of a kind. The test of a kind is one line and a
// directory of cases:
//
//	func TestCases(t *testing.T) { resourcetest.Run(t, directory.Kind) }
//
// A case is testdata/NAME.txtar with the sections
//
//	spec.json    the Spec, decoded into Kind.New() without unknown fields
//	facts.json   the facts, as `reconcile facts` prints them; "version" is optional
//	plan         the change as text; `go test -update` rewrites it
//
// Besides the golden, each case checks that Diff is deterministic, that facts outside of
// Reads do not matter, that no change is left once the predictions hold, and that steps and
// Spec survive JSON. Only tests import this package.
package resourcetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Run runs every case in testdata of the calling package as a subtest. It fails if there is
// none.
func Run(t *testing.T, kind resources.Kind) {
	t.Helper()
	if kind.Name == "" || kind.New == nil {
		t.Fatalf("kind %q has no name or no New", kind.Name)
	}
	if kind.New() == kind.New() {
		t.Errorf("kind %s: New returns the same Spec twice", kind.Name)
	}
	runFiles(t, "testdata", func(t testing.TB, file string) { runCase(t, kind, file) })
}

func runFiles(t *testing.T, dir string, run func(testing.TB, string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { run(t, file) })
	}
}

// A testCase is one Spec with the facts of its file.
type testCase struct {
	spec  resources.Spec
	known *facts.Facts
}

func runCase(t testing.TB, kind resources.Kind, file string) {
	archive, body, known := readCase(t, file, "spec.json")
	c := testCase{decodeSpec(t, kind, body), known}
	got := c.check(t, file, archive)
	if own := c.spec.Owns(); own.Kind != facts.KindCheck && !slices.Contains(c.spec.Reads(), own) {
		t.Errorf("Reads %v does not contain Owns %s", c.spec.Reads(), own)
	}
	if !slices.Equal(c.spec.Reads(), c.spec.Reads()) {
		t.Error("Reads is not deterministic")
	}
	if again := Text(diff(t, c.spec, c.known)); again != got {
		t.Errorf("a second Diff differs\n--- first\n%s--- second\n%s", got, again)
	}
	if again := Text(diff(t, decodeSpec(t, kind, body), c.known)); again != got {
		t.Errorf("the Diff of an equal Spec differs\n--- first\n%s--- second\n%s", got, again)
	}
	c.checkSpecSurvives(t, kind, got)
}

// readCase returns a file, one section, and the facts.
func readCase(t testing.TB, file, name string) (*txtar.Archive, []byte, *facts.Facts) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	body, recorded := section(archive, name), section(archive, "facts.json")
	if body == nil || recorded == nil {
		t.Fatalf("%s needs the sections %s and facts.json", file, name)
	}
	return archive, body.Data, decodeFacts(t, recorded.Data)
}

// check compares the change with the golden and checks it. It returns the change as text.
func (c testCase) check(t testing.TB, file string, archive *txtar.Archive) string {
	t.Helper()
	change := diff(t, c.spec, c.known)
	got, plan := Text(change), section(archive, "plan")
	if plan == nil {
		archive.Files = append(archive.Files, txtar.File{Name: "plan"})
		plan = section(archive, "plan")
	}
	if golden.Updating() {
		plan.Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(plan.Data) != got {
		t.Errorf("the plan differs (go test -update rewrites it)\n--- want\n%s--- got\n%s", plan.Data, got)
	}
	c.checkChange(t, change)
	c.checkReads(t, got)
	c.checkSettles(t, change)
	checkStepsSurvive(t, change)
	return got
}

// diff returns the change, with a view of the declared facts.
func diff(t testing.TB, spec resources.Spec, known *facts.Facts) resources.Change {
	t.Helper()
	for _, k := range spec.Reads() {
		if _, reason, ok := known.Lookup(k); !ok {
			t.Fatalf("facts.json has no %s (%s), which Reads declares", k, reason)
		}
	}
	return spec.Diff(facts.NewView(known, spec.Reads()))
}

// checkChange checks the properties that the engine relies on.
func (c testCase) checkChange(t testing.TB, change resources.Change) {
	t.Helper()
	if change.Action == resources.Blocked && (change.Problem == nil || change.Problem.Severity == diag.Warn) {
		t.Error("blocked without a problem, or with a warning")
	}
	if change.Action != resources.Blocked && change.Problem != nil && change.Problem.Severity != diag.Warn {
		t.Errorf("a problem that is no warning with the action %q", change.Action)
	}
	if p := change.Problem; p != nil && (p.Code == "" || p.Summary == "" || p.Hint == "") {
		t.Errorf("problem without code, summary or hint: %+v", p)
	}
	idle := change.Action == resources.None || change.Action == resources.Blocked
	if idle && len(change.Steps) > 0 {
		t.Errorf("action %q with %d steps", change.Action, len(change.Steps))
	}
	if !idle && change.Action != resources.Defer && len(change.Steps) == 0 {
		t.Errorf("action %q without steps", change.Action)
	}
	if _, ok := c.spec.(resources.Requirement); ok && !idle {
		t.Errorf("a requirement with the action %q", change.Action)
	}
}

// checkReads adds facts that Reads does not declare, and then removes all of those.
func (c testCase) checkReads(t testing.TB, want string) {
	t.Helper()
	reads := c.spec.Reads()
	more, only := &facts.Facts{}, &facts.Facts{}
	more.Merge(c.known)
	for _, fact := range otherFacts() {
		if !slices.Contains(reads, fact.Key()) {
			more.Set(fact)
		}
	}
	if got := Text(diff(t, c.spec, more)); got != want {
		t.Errorf("facts outside of Reads change the plan\n--- without\n%s--- with\n%s", want, got)
	}
	for _, k := range reads {
		if fact, _, ok := c.known.Lookup(k); ok {
			only.Set(fact)
		}
	}
	if got := Text(diff(t, c.spec, only)); got != want {
		t.Errorf("the plan needs facts outside of Reads\n--- all\n%s--- declared\n%s", want, got)
	}
}

// otherFacts returns a fact of every kind that differs from those of any case.
func otherFacts() []facts.Fact {
	return []facts.Fact{
		facts.Project{Root: "/elsewhere", Store: "/elsewhere/store", State: "/elsewhere/store/projects/elsewhere"},
		facts.Host{OS: "plan9", Arch: "mips", Hostname: "elsewhere"},
		facts.GPU{Vendor: "nvidia", Driver: "1.0"},
		facts.Nvidia{State: facts.DriverOK, Driver: "1.0", CUDA: "1.0"},
		facts.Toolkit{Version: "1.0"},
		facts.Index{URL: "https://elsewhere.invalid/simple"},
		facts.Path{Path: "elsewhere", Type: facts.Other},
		facts.Folder{Path: "elsewhere", Entries: 1},
		facts.Tree{Path: "elsewhere", Entries: 1},
		facts.Disk{Path: "elsewhere", Device: "none"},
		facts.Pythons{Minor: "0.1"},
		facts.Tool{Name: "elsewhere", Path: "/elsewhere"},
		facts.Environment{Name: "elsewhere", Path: "elsewhere"},
		facts.Model{Repo: "else/where", State: facts.ModelDamaged},
	}
}

// checkSettles checks that no change is left once the predictions hold.
func (c testCase) checkSettles(t testing.TB, change resources.Change) {
	t.Helper()
	if change.Action == resources.Blocked || change.Action == resources.Defer {
		return
	}
	after := &facts.Facts{}
	after.Merge(c.known)
	for _, fact := range change.Predicts {
		after.Set(fact)
	}
	if again := diff(t, c.spec, after); again.Action != resources.None {
		t.Errorf("does not settle once the predictions hold:\n%s", Text(again))
	}
}

func checkStepsSurvive(t testing.TB, change resources.Change) {
	t.Helper()
	encoded, err := resources.MarshalSteps(change.Steps)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := resources.UnmarshalSteps(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if len(decoded) != len(change.Steps) {
		t.Fatalf("%d steps become %d", len(change.Steps), len(decoded))
	}
	for i, step := range change.Steps {
		if !reflect.DeepEqual(step, decoded[i]) {
			t.Errorf("step %d does not survive JSON\n--- before\n%#v\n--- after\n%#v", i, step, decoded[i])
		}
	}
}

func (c testCase) checkSpecSurvives(t testing.TB, kind resources.Kind, want string) {
	t.Helper()
	encoded, err := json.Marshal(c.spec)
	if err != nil {
		t.Fatal(err)
	}
	decoded := decodeSpec(t, kind, encoded)
	again, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encoded, again) {
		t.Errorf("the Spec does not survive JSON\n--- before\n%s\n--- after\n%s", encoded, again)
	}
	if got := Text(diff(t, decoded, c.known)); got != want {
		t.Errorf("the Diff of the decoded Spec differs\n--- before\n%s--- after\n%s", want, got)
	}
}

func decodeSpec(t testing.TB, kind resources.Kind, body []byte) resources.Spec {
	t.Helper()
	spec := kind.New()
	decodeStrict(t, "spec.json", body, spec)
	return spec
}

func decodeStrict(t testing.TB, name string, body []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func decodeFacts(t testing.TB, body []byte) *facts.Facts {
	t.Helper()
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatalf("facts.json: %v", err)
	}
	if doc["version"] == nil {
		doc["version"] = json.RawMessage(fmt.Sprint(facts.Version))
	}
	body, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	known := &facts.Facts{}
	if err := known.UnmarshalJSON(body); err != nil {
		t.Fatalf("facts.json: %v", err)
	}
	return known
}

func section(a *txtar.Archive, name string) *txtar.File {
	for i := range a.Files {
		if a.Files[i].Name == name {
			return &a.Files[i]
		}
	}
	return nil
}
