// Package resourcetest is what every kind must show of itself. A kind's test is
// one line, and a folder of cases:
//
//	func TestCases(t *testing.T) { resourcetest.Run(t, directory.Kind) }
//
// A case is testdata/NAME.txtar with the sections
//
//	spec.json    the body, decoded into Kind.New() without unknown fields
//	facts.json   what is known of the machine, as `reconcile facts` prints it; "version" may be left out
//	plan         the change as text; `go test -update` rewrites it
//
// Beside the golden each case shows that the same input gives the same answer,
// that nothing outside of Reads has influence, that the kind settles from its own
// predictions, and that steps and body survive JSON. Only tests import it.
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

// Run runs every case below testdata of the calling package as a subtest. No
// case at all is a failure.
func Run(t *testing.T, kind resources.Kind) {
	t.Helper()
	checkKind(t, kind)
	files, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			runCase(t, kind, file)
		})
	}
}

// checkKind holds what is true of a kind whatever the case.
func checkKind(t testing.TB, kind resources.Kind) {
	t.Helper()
	if kind.Name == "" || kind.Doc == "" || kind.New == nil {
		t.Fatalf("kind %q lacks a name, a doc or New", kind.Name)
	}
	if kind.New() == kind.New() {
		t.Errorf("kind %s: New returns the same Spec twice", kind.Name)
	}
}

// A testCase is one parsed file.
type testCase struct {
	kind  resources.Kind
	body  []byte // spec.json
	spec  resources.Spec
	known *facts.Facts
}

func runCase(t testing.TB, kind resources.Kind, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	body, recorded, plan := section(archive, "spec.json"), section(archive, "facts.json"), section(archive, "plan")
	if body == nil || recorded == nil {
		t.Fatalf("%s needs the sections spec.json and facts.json", file)
	}
	c := testCase{kind: kind, body: body.Data, spec: decodeSpec(t, kind, body.Data), known: decodeFacts(t, recorded.Data)}
	change := c.diff(t, c.spec, c.known)

	got := Text(change)
	if golden.Updating() {
		update(t, file, archive, got)
	} else if plan == nil || string(plan.Data) != got {
		var want []byte
		if plan != nil {
			want = plan.Data
		}
		t.Errorf("the plan differs (go test -update rewrites it)\n--- want\n%s--- got\n%s", want, got)
	}
	c.checkKeys(t)
	c.checkChange(t, change)
	c.checkSameAnswer(t, got)
	c.checkHonestReads(t, got)
	c.checkSettles(t, change)
	c.checkStepsSurvive(t, change)
	c.checkBodySurvives(t, got)
}

// diff asks the kind, with all of the declared facts known and no others shown.
func (c testCase) diff(t testing.TB, spec resources.Spec, known *facts.Facts) resources.Change {
	t.Helper()
	for _, k := range spec.Reads() {
		if _, reason, ok := known.Lookup(k); !ok {
			t.Fatalf("facts.json says nothing of %s (%s), which Reads declares", k, reason)
		}
	}
	return spec.Diff(facts.NewView(known, spec.Reads()))
}

func (c testCase) checkKeys(t testing.TB) {
	t.Helper()
	if own := c.spec.Owns(); own.Kind != facts.KindCheck && !slices.Contains(c.spec.Reads(), own) {
		t.Errorf("Reads %v does not hold Owns %s", c.spec.Reads(), c.spec.Owns())
	}
	if !slices.Equal(c.spec.Reads(), c.spec.Reads()) {
		t.Error("Reads differs from one call to the next")
	}
}

// checkChange holds what the engine relies on.
func (c testCase) checkChange(t testing.TB, change resources.Change) {
	t.Helper()
	if change.Action == resources.Blocked && (change.Problem == nil || change.Problem.Severity == diag.Warn) {
		t.Error("blocked without a problem that says why")
	}
	if change.Action != resources.Blocked && change.Problem != nil && change.Problem.Severity != diag.Warn {
		t.Errorf("a problem that stops the run, and the action %q", change.Action)
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
		t.Errorf("a requirement answers %q", change.Action)
	}
}

func (c testCase) checkSameAnswer(t testing.TB, want string) {
	t.Helper()
	if got := Text(c.diff(t, c.spec, c.known)); got != want {
		t.Errorf("the second answer differs\n--- first\n%s--- second\n%s", want, got)
	}
	if got := Text(c.diff(t, decodeSpec(t, c.kind, c.body), c.known)); got != want {
		t.Errorf("the answer of an equal body differs\n--- first\n%s--- second\n%s", want, got)
	}
}

// checkHonestReads changes every fact that Reads does not declare.
func (c testCase) checkHonestReads(t testing.TB, want string) {
	t.Helper()
	reads := c.spec.Reads()
	other := &facts.Facts{}
	other.Merge(c.known)
	for _, fact := range strangers() {
		if !slices.Contains(reads, fact.Key()) {
			other.Set(fact)
		}
	}
	if got := Text(c.diff(t, c.spec, other)); got != want {
		t.Errorf("facts outside of Reads change the answer\n--- without\n%s--- with\n%s", want, got)
	}
	only := &facts.Facts{}
	for _, k := range reads {
		if fact, _, ok := c.known.Lookup(k); ok {
			only.Set(fact)
		}
	}
	if got := Text(c.diff(t, c.spec, only)); got != want {
		t.Errorf("the answer needs facts outside of Reads\n--- all\n%s--- declared\n%s", want, got)
	}
}

// strangers are facts of every kind, unlike any that a case would record.
func strangers() []facts.Fact {
	return []facts.Fact{
		facts.Project{Root: "/elsewhere", State: ".reconcile/elsewhere"},
		facts.Host{OS: "plan9", Arch: "mips", Hostname: "elsewhere"},
		facts.GPU{Vendor: "nvidia", Driver: "1.0"},
		facts.Nvidia{State: facts.DriverOK, Driver: "1.0", CUDA: "1.0"},
		facts.Toolkit{Version: "1.0"},
		facts.Index{URL: "https://elsewhere.invalid/simple"},
		facts.Path{Path: "elsewhere", Type: facts.Other},
		facts.Disk{Path: "elsewhere", Device: "none"},
		facts.Pythons{Minor: "0.1"},
		facts.Tool{Name: "elsewhere", Path: "/elsewhere"},
		facts.Environment{Name: "elsewhere", Path: "elsewhere"},
		facts.Model{Repo: "else/where", State: facts.ModelDamaged},
	}
}

// checkSettles folds the predictions into the facts and asks again.
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
	if again := c.diff(t, c.spec, after); again.Action != resources.None {
		t.Errorf("does not settle from its own predictions:\n%s", Text(again))
	}
}

func (c testCase) checkStepsSurvive(t testing.TB, change resources.Change) {
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

func (c testCase) checkBodySurvives(t testing.TB, want string) {
	t.Helper()
	encoded, err := json.Marshal(c.spec)
	if err != nil {
		t.Fatal(err)
	}
	decoded := decodeSpec(t, c.kind, encoded)
	again, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encoded, again) {
		t.Errorf("the body does not survive JSON\n--- before\n%s\n--- after\n%s", encoded, again)
	}
	if got := Text(c.diff(t, decoded, c.known)); got != want {
		t.Errorf("the body that went through JSON answers differently\n--- before\n%s--- after\n%s", want, got)
	}
}

func decodeSpec(t testing.TB, kind resources.Kind, body []byte) resources.Spec {
	t.Helper()
	spec := kind.New()
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(spec); err != nil {
		t.Fatalf("spec.json: %v", err)
	}
	return spec
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

func update(t testing.TB, file string, a *txtar.Archive, plan string) {
	t.Helper()
	if f := section(a, "plan"); f != nil {
		f.Data = []byte(plan)
	} else {
		a.Files = append(a.Files, txtar.File{Name: "plan", Data: []byte(plan)})
	}
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}
