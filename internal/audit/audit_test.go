package audit

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/osv"
	"github.com/reconcile-ml/reconcile/internal/outputschema"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// A world is a project, and a server that is its index, another index, and an OSV server.
type world struct {
	t       *testing.T
	dir     string
	wheels  string // a folder of wheels
	server  *httptest.Server
	records []osv.Record
	status  int       // of OSV; 0 for 200
	garble  string    // the answer of OSV, "" for the true one
	now     time.Time // of the audit
	nltk    []byte    // a wheel of the index

	mu   sync.Mutex
	sent []string // requests to OSV: path and body
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), wheels: t.TempDir(), now: time.Date(2026, time.November, 30, 12, 0, 0, 0, time.UTC)}
	text, err := os.ReadFile("../osv/testdata/records.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := osv.ParseAll(text, func(r osv.Record) { w.records = append(w.records, r) }); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	page := func(files ...string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprint(rw, "<title>Links for x</title>")
			for _, f := range files {
				name, yanked, is := strings.Cut(f, "|")
				attribute := ""
				if is {
					attribute = ` data-yanked="` + yanked + `"`
				}
				fmt.Fprintf(rw, `<a href="/files/%s"%s>%s</a>`, name, attribute, name)
			}
		}
	}
	mux.HandleFunc("/simple/torch/", page("torch-2.1.2-cp310-none-any.whl", "torch-2.10.0-cp310-none-any.whl"))
	mux.HandleFunc("/simple/transformers/", page("transformers-4.43.4-py3-none-any.whl"))
	mux.HandleFunc("/simple/nltk/", page("nltk-3.8.1-py3-none-any.whl|broken &amp; replaced", "nltk-3.9-py3-none-any.whl"))
	mux.HandleFunc("/simple/acme-tools/", page("acme_tools-1.0-py3-none-any.whl"))
	mux.HandleFunc("/special/bound/", page("bound-2.0+cu128-py3-none-any.whl|recalled"))
	w.nltk = wheelOf(t, "nltk", "3.8.1", "License: Apache License, Version 2.0")
	mux.HandleFunc("GET /files/nltk-3.8.1-py3-none-any.whl", func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") == "" {
			t.Error("the whole wheel is downloaded")
		}
		http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(w.nltk))
	})
	mux.HandleFunc("POST /osv/v1/querybatch", w.query)
	mux.HandleFunc("GET /osv/v1/vulns/{id}", w.record)
	w.server = httptest.NewServer(mux)
	t.Cleanup(w.server.Close)
	return w
}

// wheelOf returns a wheel with these lines of METADATA, behind a member that is larger than one range.
func wheelOf(t *testing.T, name, version string, lines ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, member := range [][2]string{
		{name + "/data", strings.Repeat(digest, 10000)},
		{name + "-" + version + ".dist-info/METADATA", "Metadata-Version: 2.4\nName: " + name + "\n" + strings.Join(lines, "\n") + "\n\nLicense-Expression: of the description\n"},
		{name + "/more", strings.Repeat(digest, 10000)},
	} {
		f, err := z.CreateHeader(&zip.FileHeader{Name: member[0], Method: zip.Store})
		if err == nil {
			_, err = io.WriteString(f, member[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// answer writes the answer of OSV.
func (w *world) answer(rw http.ResponseWriter, v any) {
	if w.status != 0 {
		rw.WriteHeader(w.status)
		return
	}
	if w.garble != "" {
		fmt.Fprint(rw, w.garble)
		return
	}
	if err := json.NewEncoder(rw).Encode(v); err != nil {
		w.t.Error(err)
	}
}

func (w *world) note(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, r.URL.String()+" "+string(body))
	return body
}

// query answers with one id a page.
func (w *world) query(rw http.ResponseWriter, r *http.Request) {
	var asked struct {
		Queries []struct {
			Package   osv.Package
			Version   string
			PageToken string `json:"page_token"`
		}
	}
	if err := json.Unmarshal(w.note(r), &asked); err != nil {
		w.t.Error(err)
	}
	results := []map[string]any{}
	for _, q := range asked.Queries {
		var ids []string
		for i := range w.records {
			if q.Package.Ecosystem == "PyPI" && w.records[i].Affects(q.Package.Name, q.Version) {
				ids = append(ids, w.records[i].ID)
			}
		}
		at := 0
		_, _ = fmt.Sscan(q.PageToken, &at)
		result := map[string]any{}
		if at < len(ids) {
			result["vulns"] = []map[string]any{{"id": ids[at], "modified": "2026-01-01T00:00:00Z"}}
		}
		if at+1 < len(ids) {
			result["next_page_token"] = fmt.Sprint(at + 1)
		}
		results = append(results, result)
	}
	w.answer(rw, map[string]any{"results": results})
}

func (w *world) record(rw http.ResponseWriter, r *http.Request) {
	w.note(r)
	for i := range w.records {
		if w.records[i].ID == r.PathValue("id") {
			w.answer(rw, w.records[i])
			return
		}
	}
	rw.WriteHeader(http.StatusNotFound)
}

func (w *world) write(name, text string) {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

// project writes a project with a package of every source. section is the section audit.
func (w *world) project(section string) {
	w.t.Helper()
	w.write("manifest.yaml", `version: 1
project: demo
indexes: [public, {name: special, url: "`+w.server.URL+`/special"}]
`+section+`
environments:
  main:
    type: venv
    path: .venv
    python: "3.10"
    lock: pylock.main.toml
    platforms: [linux-x86_64, macos-arm64]
    packages:
      - "trl @ git+https://code.invalid/trl.git@`+digest[:40]+`"
      - nltk==3.8.1
      - {name: bound, version: ">=2", index: special}
      - acme-tools
      - folder
      - "web @ https://files.invalid/web-1.0-py3-none-any.whl#sha256=`+digest+`"
      - "dir @ ./libs/dir"
`)
	w.write("libs/dir/pyproject.toml", "[project]\nname = \"dir\"\nversion = \"1.0\"\n[build-system]\nrequires = []\nbuild-backend = \"x\"\n")
	if err := os.WriteFile(filepath.Join(w.wheels, "folder-1.0-py3-none-any.whl"), wheelOf(w.t, "folder", "1.0", "License-Expression: LicenseRef-Acme"), 0o644); err != nil {
		w.t.Fatal(err)
	}
	s, err := session.Load(w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	var sum facts.SHA256
	if err := sum.UnmarshalText([]byte(digest)); err != nil {
		w.t.Fatal(err)
	}
	wheel := func(file string) []lock.Wheel { return []lock.Wheel{{File: file, Size: 5, SHA256: sum}} }
	nltk := wheel("nltk-3.8.1-py3-none-any.whl")
	nltk[0].Size = int64(len(w.nltk))
	build := []lock.Package{{Name: "setuptools", Version: "80.0", Wheels: wheel("setuptools-80.0-py3-none-any.whl")}}
	l := lock.Lock{
		Path: "pylock.main.toml", RequiresPython: ">=3.10,<3.11", Platforms: []string{"linux-x86_64", "macos-arm64"},
		Requests: s.Manifest.Environments[0].Requests(), Packages: []lock.Package{
			{Name: "acme-tools", Version: "1.0", Wheels: wheel("acme_tools-1.0-py3-none-any.whl")},
			{Name: "bound", Version: "2.0+cu128", Index: "special", Wheels: wheel("bound-2.0+cu128-py3-none-any.whl")},
			{Name: "dir", Version: "1.0", Build: &lock.Build{Source: lock.Source{Directory: "libs/dir"}, Requires: build}},
			{Name: "folder", Version: "1.0", Wheels: wheel("folder-1.0-py3-none-any.whl")},
			{Name: "nltk", Version: "3.8.1", Wheels: nltk},
			{Name: "torch", Version: "2.1.2", Platforms: []string{"linux-x86_64"}, Wheels: wheel("torch-2.1.2-cp310-none-any.whl")},
			{Name: "transformers", Version: "4.43.4", Dependencies: []string{"torch"}, Wheels: wheel("transformers-4.43.4-py3-none-any.whl")},
			{Name: "trl", Version: "0.9.6", Dependencies: []string{"transformers"}, Build: &lock.Build{Source: lock.Source{Git: "https://code.invalid/trl.git", Commit: digest[:40]}, Requires: build}},
			{Name: "web", Version: "1.0", URL: "https://files.invalid/web-1.0-py3-none-any.whl", Wheels: wheel("web-1.0-py3-none-any.whl")},
		},
	}
	w.write(l.Path, string(l.Encode()))
}

func (w *world) config() *session.Config {
	return &session.Config{Dir: w.dir, Program: "1.0", Now: func() time.Time { return w.now }, Environ: []string{
		"HOME=" + w.t.TempDir(), "RECONCILE_STORE=" + filepath.Join(w.dir, "..", "store-"+filepath.Base(w.dir)), "RECONCILE_FIND_LINKS=" + w.wheels,
		"RECONCILE_INDEX_URL=" + w.server.URL + "/simple", "RECONCILE_OSV_URL=" + w.server.URL + "/osv",
	}}
}

func (w *world) open() *session.Project {
	w.t.Helper()
	p, err := session.Open(w.t.Context(), w.config(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// run audits the project.
func (w *world) run(o Options) (*report.Audit, error) {
	w.t.Helper()
	p := w.open()
	o.Again = func(args ...string) string { return "reconcile " + strings.Join(args, " ") }
	return Run(w.t.Context(), p, p.Manifest.Environments, o)
}

// check returns the text of an audit, which must be valid by its schema.
func (w *world) check(o Options) string {
	w.t.Helper()
	doc, err := w.run(o)
	if err != nil {
		w.t.Fatalf("%v\n%+v", err, diag.Problems(err))
	}
	var document, text bytes.Buffer
	if err := errors.Join(report.JSON(&document, doc), report.AuditText(&text, doc, report.Options{})); err != nil {
		w.t.Fatal(err)
	}
	outputschema.Load(w.t, "audit").Check(w.t, document.Bytes())
	return text.String()
}

// contains checks that a text contains words.
func (w *world) contains(text string, words ...string) {
	w.t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			w.t.Errorf("%q is missing in\n%s", word, text)
		}
	}
}

func TestFindingsOfTheServer(t *testing.T) {
	w := newWorld(t)
	w.project("")
	text := w.check(Options{})
	w.contains(text,
		"nltk 3.8.1, requested in manifest.yaml:14:9\n  yanked-nltk-3.8.1  the release was withdrawn by its authors: broken & replaced\n"+
			"  CVE-2024-39705  high, fixed in 3.9\n    ntlk unsafe deserialization vulnerability\n    also GHSA-cgvx-9447-vcch\n  do: `reconcile upgrade --env main nltk`, to 3.9 or later\n",
		"torch 2.1.2, a dependency: trl > transformers > torch (linux-x86_64)\n  CVE-2025-32434  critical, fixed in 2.6.0\n",
		"  CVE-2025-3730  moderate, no fixed version is known; affected up to 2.7.1\n",
		"  do: `reconcile upgrade --env main torch`, to 2.10.0 or later\n",
		"yanked-bound-2.0+cu128  the release was withdrawn by its authors: recalled",
		"Python 3.10 is past its end of life (October 2026)\n  eol-python-3.10\n",
		"Audit: environment main: 6 known vulnerabilities, 2 withdrawn releases, 1 past the end of life; 4 packages compared with "+w.server.URL+"/osv.\n",
	)
	if strings.Contains(text, "EXAMPLE") {
		t.Errorf("a withdrawn record, or one of another ecosystem, is reported:\n%s", text)
	}
}

// TestPrivatePackagesAreNotSent checks everything that is sent to the server.
func TestPrivatePackagesAreNotSent(t *testing.T) {
	for _, tt := range []struct {
		section string
		want    []string
	}{
		{"", []string{"acme-tools 1.0", "nltk 3.8.1", "torch 2.1.2", "transformers 4.43.4"}},
		{"audit: {private: [acme-*]}", []string{"nltk 3.8.1", "torch 2.1.2", "transformers 4.43.4"}},
		{"audit: {private: [acme-*], public_indexes: [special]}", []string{"bound 2.0", "nltk 3.8.1", "torch 2.1.2", "transformers 4.43.4"}},
	} {
		w := newWorld(t)
		w.project(tt.section)
		text := w.check(Options{})
		var sent []string
		for _, request := range w.sent {
			address, body, _ := strings.Cut(request, " ")
			if strings.HasPrefix(address, "/osv/v1/vulns/") {
				continue
			}
			var document map[string][]map[string]any
			if err := json.Unmarshal([]byte(body), &document); err != nil || len(document) != 1 {
				t.Fatalf("%s: %v", body, err)
			}
			for _, q := range document["queries"] {
				p := q["package"].(map[string]any)
				delete(q, "page_token")
				if len(q) != 2 || len(p) != 2 || p["ecosystem"] != "PyPI" {
					t.Errorf("the query has more than the name and version of a package: %v", q)
				}
				sent = append(sent, fmt.Sprintf("%s %s", p["name"], q["version"]))
			}
		}
		slices.Sort(sent)
		if sent = slices.Compact(sent); !slices.Equal(sent, tt.want) {
			t.Errorf("%s: %q are sent, want %q", tt.section, sent, tt.want)
		}
		w.contains(text, "- 1 package, from git, which may be private: trl 0.9.6", "- 1 package, from a directory of the project: dir 1.0",
			"- 1 package, from a URL or a file, which may be private: web 1.0", "- 1 package, which the index does not list: folder 1.0")
		all := strings.Join(w.sent, "\n")
		for _, secret := range []string{"trl", "dir", "web", "folder", "cu128", "invalid", "demo", "main"} {
			if strings.Contains(all, `"`+secret) || strings.Contains(all, "+"+secret) {
				t.Errorf("%q is sent: %s", secret, all)
			}
		}
	}
}

// TestDatabases checks each form of a database on this machine: nothing is sent, and all packages are
// compared.
func TestDatabases(t *testing.T) {
	w := newWorld(t)
	w.project("")
	dir := t.TempDir()
	var lines, archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for i := range w.records {
		text, err := json.Marshal(w.records[i])
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(text, '\n'))
		member, err := z.Create(w.records[i].ID + ".json")
		if err == nil {
			_, err = member.Write(text)
		}
		file := filepath.Join(dir, "folder", fmt.Sprint(i), "record.json")
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := json.Marshal(w.records)
	if err := errors.Join(err, z.Close(),
		os.WriteFile(filepath.Join(dir, "lines.json"), lines.Bytes(), 0o644), os.WriteFile(filepath.Join(dir, "list.json"), list, 0o644), os.WriteFile(filepath.Join(dir, "all.zip"), archive.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("folder", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lines.json", "list.json", "all.zip", "folder", "link"} {
		text := w.check(Options{Database: filepath.Join(dir, name), Offline: true})
		w.contains(text, "CVE-2025-32434  critical, fixed in 2.6.0", "CVE-2024-39705", "9 packages compared with "+filepath.Join(dir, name)+" of 2026-01-29.",
			"withdrawn releases were not checked: --offline uses no network")
		if strings.Contains(text, "yanked-") || strings.Contains(text, "Not checked") {
			t.Errorf("%s:\n%s", name, text)
		}
		w.contains(w.check(Options{Database: filepath.Join(dir, name)}), "yanked-nltk-3.8.1")
	}
	if len(w.sent) > 0 {
		t.Errorf("%q are sent", w.sent)
	}
}

func TestAcceptedFindings(t *testing.T) {
	w := newWorld(t)
	w.project(`audit:
  ignore:
    - {id: GHSA-53q9-r3pm-6pq6, why: "only our checkpoints are loaded", until: 2027-01-31}
    - {id: CVE-2024-39705, why: "no data is downloaded", until: 2026-11-29}
    - {id: CVE-2000-1, why: "typo"}
    - {id: eol-python-3.10, why: "the cluster has it", until: 2026-11-30}`)
	doc, err := w.run(Options{Ignore: []string{"CVE-2025-3730", "CVE-2000-2"}})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := report.AuditText(&text, doc, report.Options{}); err != nil {
		t.Fatal(err)
	}
	w.contains(text.String(), "accepted until 2027-01-31: only our checkpoints are loaded", "accepted: --ignore CVE-2025-3730", "accepted until 2026-11-30: the cluster has it",
		"manifest.yaml:7:7: CVE-2024-39705 was accepted until 2026-11-29, and counts again", "manifest.yaml:8:7: no audited environment has the finding CVE-2000-1",
		"--ignore CVE-2000-2: no audited environment has this finding", "4 known vulnerabilities, 2 withdrawn releases, 3 accepted;")
	if got := doc.Count(); got != 6 {
		t.Errorf("%d findings count, want 6", got)
	}
	// --ignore has no effect on the recorded result.
	p := w.open()
	list := Results(p, doc)
	if len(list) != 1 || list[0].Vulnerabilities != 5 || list[0].Yanked != 2 {
		t.Fatalf("the result is %+v", list)
	}
	if err := p.RecordAudit(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	local, err := p.Local()
	if err != nil {
		t.Fatal(err)
	}
	latest, found, current := session.LatestAudit(local.State, p.Manifest, p.Manifest.Environments[0])
	if text := latest.Text(w.now.Add(50 * time.Hour)); !found || !current || text != "5 known vulnerabilities, 2 withdrawn releases (audited 2 days ago)" {
		t.Errorf("%q, found %t, current %t", text, found, current)
	}
}

// TestCleanAudit checks that nothing is found in packages that are not affected.
// Audits of several environments at once, as in CI, each keep their result.
func TestRecordsOfSeveralProcesses(t *testing.T) {
	w := newWorld(t)
	w.project("")
	p := w.open()
	var running sync.WaitGroup
	const n = 30
	for i := range n {
		running.Go(func() {
			if err := p.RecordAudit(t.Context(), []session.Audited{{Environment: fmt.Sprint(i), Vulnerabilities: 1}}); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	local, err := p.Local()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(layout.Audited(local.State))
	if got := strings.Count(string(text), `"environment"`); err != nil || got != n {
		t.Errorf("%d results are recorded, want %d: %v", got, n, err)
	}
}

func TestCleanAudit(t *testing.T) {
	w := newWorld(t)
	w.records = nil
	w.now = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	w.project("audit: {ignore: [{id: yanked-nltk-3.8.1, why: x}, {id: yanked-bound-2.0+cu128, why: x}]}")
	doc, err := w.run(Options{})
	if err != nil || doc.Count() != 0 {
		t.Errorf("%v, %+v", err, doc)
	}
	w.contains(w.check(Options{}), "Audit: environment main: nothing found, 2 accepted; 4 packages compared")
}

// bomb writes an archive whose records about nltk have 150 MB.
func (w *world) bomb(name string) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	padding := strings.Repeat(" ", 15<<20)
	for i := range 10 {
		member, err := z.Create(fmt.Sprintf("A-%d.json", i))
		if err == nil {
			_, err = fmt.Fprintf(member, `%s{"id":"A-%d","affected":[{"package":{"ecosystem":"PyPI","name":"nltk"},"versions":["3.8.1"]}]}`, padding, i)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.write(name, b.String())
}

func TestProblems(t *testing.T) {
	code := func(err error) string {
		if p, ok := errors.AsType[*diag.Problem](err); ok && p.Hint != "" {
			return p.Code
		}
		return fmt.Sprint(err)
	}
	w := newWorld(t)
	w.project("")
	for name, tt := range map[string]struct {
		do   func(w *world)
		o    Options
		want string
	}{
		"offline without a database": {func(*world) {}, Options{Offline: true}, "audit.offline"},
		"no such database":           {func(*world) {}, Options{Offline: true, Database: "absent.zip"}, "audit.database"},
		"not a database":             {func(w *world) { w.write("x.json", "{}") }, Options{Offline: true, Database: "x.json"}, "audit.database"},
		"no records of PyPI":         {func(w *world) { w.write("x.json", `{"id":"A"}`) }, Options{Offline: true, Database: "x.json"}, "audit.database"},
		"not an archive":             {func(w *world) { w.write("x.zip", "PK\x03\x04") }, Options{Offline: true, Database: "x.zip"}, "audit.database"},
		"refused":                    {func(w *world) { w.status = http.StatusForbidden }, Options{}, "audit.network"},
		"not OSV":                    {func(w *world) { w.garble = "<html>" }, Options{}, "audit.answer"},
		"too few answers":            {func(w *world) { w.garble = `{"results":[]}` }, Options{}, "audit.answer"},
		"a bad id":                   {func(w *world) { w.garble = `{"results":[{"vulns":[{"id":"../x"}]},{},{},{}]}` }, Options{}, "audit.answer"},
		"endless records": {func(w *world) {
			var ids []string
			for i := range 30_000 {
				ids = append(ids, fmt.Sprintf(`{"id":"A-%d"}`, i))
			}
			w.garble = `{"results":[{"vulns":[` + strings.Join(ids, ",") + `]},{},{},{}]}`
		}, Options{}, "audit.answer"},
		"an archive that is larger than memory": {func(w *world) { w.bomb("x.zip") }, Options{Offline: true, Database: "x.zip"}, "audit.database"},
		"endless pages":                         {func(w *world) { w.garble = `{"results":[{"next_page_token":"a"}]}` }, Options{}, "audit.answer"},
		"a record that is gone":                 {func(w *world) { w.garble = `{"results":[{"vulns":[{"id":"A"}]},{},{},{}]}` }, Options{}, "audit.network"},
		"another record":                        {func(w *world) { w.garble = `{"results":[{"vulns":[{"id":"GHSA-53q9-r3pm-6pq6"}]},{},{},{}]}` }, Options{}, "audit.answer"},
	} {
		w.status, w.garble = 0, ""
		tt.do(w)
		if _, err := w.run(tt.o); code(err) != tt.want {
			t.Errorf("%s: %s, want %s", name, code(err), tt.want)
		}
	}
	w.server.Close()
	if _, err := w.run(Options{}); code(err) != "apply.index" || !strings.Contains(diag.Problems(err)[0].Hint, "without network: `reconcile audit --offline --database FILE`") {
		t.Errorf("%v", err)
	}
}

// TestCancelled checks that an interrupted audit ends with the error of its context.
func TestCancelled(t *testing.T) {
	w := newWorld(t)
	w.project("")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	p := w.open()
	if _, err := Run(ctx, p, p.Manifest.Environments, Options{Again: func(...string) string { return "" }}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestLicenses checks the licences of wheels of the index, of which only parts are read, of a folder,
// and of packages whose metadata cannot be read.
func TestLicenses(t *testing.T) {
	w := newWorld(t)
	w.project("")
	text := w.check(Options{Licenses: true})
	w.contains(text, "Licences\n  - Apache License, Version 2.0: nltk\n  - LicenseRef-Acme: folder\n  - unknown: acme-tools, bound, dir, torch, transformers, trl, web\n",
		"  - the licences of 4 packages could not be read: acme-tools: ")
	if err := os.WriteFile(filepath.Join(w.dir, "records.json"), []byte(`{"id":"EXAMPLE-1","affected":[{"package":{"ecosystem":"PyPI","name":"x"}}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	w.contains(w.check(Options{Licenses: true, Offline: true, Database: "records.json"}), "  - unknown: acme-tools, bound, dir, folder, nltk, torch, transformers, trl, web\n")
}

// TestUpgradeNamesPins checks that the remedy moves the pinned dependencies of a package too, since a
// newer version needs newer ones, and nothing else.
func TestUpgradeNamesPins(t *testing.T) {
	pin := func(name, specifier string) lock.Requirement {
		return lock.Requirement{Name: name, Specifier: specifier, Pos: diag.Pos{File: "manifest.yaml"}}
	}
	s := &subject{
		env: &manifest.Environment{Name: "remote", Pos: diag.Pos{File: "manifest.yaml"}},
		packages: []*pkg{
			{Package: lock.Package{Name: "trl", Dependencies: []string{"torch"}}},
			{Package: lock.Package{Name: "torch", Dependencies: []string{"triton", "cusolver", "sympy"}}},
			{Package: lock.Package{Name: "cusolver", Dependencies: []string{"nvjitlink", "torch"}}},
		},
		requests: map[string]lock.Requirement{
			"torch": pin("torch", "==2.1.2"), "triton": pin("triton", "==2.1.0"), "nvjitlink": pin("nvjitlink", "==12.1"), "sympy": pin("sympy", ">=1"), "trl": pin("trl", "==0.9"),
		},
	}
	s.findParents()
	w := newWorld(t)
	w.write("manifest.yaml", "version: 1\nproject: demo\n")
	a := &auditor{project: w.open(), Options: Options{Again: func(args ...string) string { return strings.Join(args, " ") }}}
	if got, want := a.upgrade(s, "torch"), "`upgrade --env remote torch nvjitlink triton`"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestCUDA checks for which CUDA version the locked torch is built.
func TestCUDA(t *testing.T) {
	for _, tt := range []struct{ version, dependencies, want string }{
		{"2.1.2", "filelock nvidia-cublas-cu12", "12"}, {"2.7.1+cu118", "", "11"}, {"2.9.1+cu128", "nvidia-cublas-cu12", "12"}, {"2.15.0", "cuda-toolkit nvidia-cudnn-cu13", "13"},
		{"2.9.1+cpu", "", ""}, {"2.9.1", "", ""},
	} {
		s := &subject{packages: []*pkg{
			{Package: lock.Package{Name: "nvidia-nvjitlink-cu11", Version: "11.0"}}, {Package: lock.Package{Name: "torch", Version: tt.version, Dependencies: strings.Fields(tt.dependencies)}},
		}}
		s.findParents()
		if got, _ := s.cuda(); got != tt.want {
			t.Errorf("torch %s with %s is built for CUDA %q, want %q", tt.version, tt.dependencies, got, tt.want)
		}
	}
}

// TestEndsOfLife checks which ends are reported at a time, and which of them count.
func TestEndsOfLife(t *testing.T) {
	w := newWorld(t)
	w.write("manifest.yaml", "version: 1\nproject: demo\n")
	for at, want := range map[string]string{
		"2024-01-01": "", "2026-09-01": "end-of-life-soon eol-python-3.10, end-of-life eol-channel-pytorch",
		"2026-11-30": "end-of-life eol-python-3.10, last-builds eol-cuda-12, end-of-life eol-channel-pytorch",
	} {
		now, err := time.Parse(time.DateOnly, at)
		if err != nil {
			t.Fatal(err)
		}
		s := &subject{
			env:      &manifest.Environment{Name: "main", Python: "3.10", Conda: &manifest.Conda{Channels: []string{"conda-forge", "pytorch"}}},
			packages: []*pkg{{Package: lock.Package{Name: "torch", Version: "2.5.1+cu124"}}},
		}
		a := &auditor{project: w.open(), now: now, Options: Options{Again: func(...string) string { return "" }}}
		var got []string
		for _, f := range a.ends(s) {
			got = append(got, string(f.Kind)+" "+f.ID)
			if counts := f.Kind == report.EndOfLife; f.Counts() != counts {
				t.Errorf("%s counts: %t", f.ID, !counts)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("on %s: %s, want %s", at, strings.Join(got, ", "), want)
		}
	}
}
