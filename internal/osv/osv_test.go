package osv

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// records returns the records in testdata: real ones, reduced, and examples. Each names its source.
func records(t testing.TB) (list []Record) {
	t.Helper()
	text, err := os.ReadFile("testdata/records.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := ParseAll(text, func(r Record) { list = append(list, r) }); err != nil {
		t.Fatal(err)
	}
	return list
}

// find returns the flaws of a version of a package.
func find(list []Record, name, version string) []Vulnerability {
	return Merge(Affecting(list, name, version), name)
}

// describe returns a flaw as one line.
func describe(v Vulnerability) string {
	return strings.Join(v.IDs, " ") + " | " + v.Severity.String() + " | " + strings.Join(v.Fixes, " ") + " | " + v.LastAffected + " | " + v.Summary
}

func TestFindMergesAliases(t *testing.T) {
	for _, tt := range []struct {
		name, version string
		want          []string
	}{
		{"torch", "2.1.2", []string{
			"CVE-2025-32434 GHSA-53q9-r3pm-6pq6 PYSEC-2025-41 | critical | 2.6.0 |  | PyTorch: `torch.load` with `weights_only=True` leads to remote code execution",
			"CVE-2025-3730 GHSA-887c-mr87-cxwp | moderate |  | 2.7.1 | PyTorch Improper Resource Shutdown or Release vulnerability",
			"CVE-2026-24747 GHSA-63cw-57p8-fm3p PYSEC-2026-1856 PYSEC-2026-2286 BIT-pytorch-2026-24747 |  | 2.10.0 |  | ",
		}},
		{"Torch", "2.7.1+cu128", []string{
			"CVE-2025-3730 GHSA-887c-mr87-cxwp | moderate |  | 2.7.1 | PyTorch Improper Resource Shutdown or Release vulnerability",
			"CVE-2026-24747 GHSA-63cw-57p8-fm3p PYSEC-2026-1856 PYSEC-2026-2286 BIT-pytorch-2026-24747 |  | 2.10.0 |  | ",
		}},
		{"torch", "2.10.0", nil},
		{"nltk", "3.8.1", []string{"CVE-2024-39705 GHSA-cgvx-9447-vcch | high | 3.9 |  | ntlk unsafe deserialization vulnerability"}},
		{"nltk", "3.9", nil},
		{"nltk", "2.0.1rc2-git", []string{"CVE-2021-43854 GHSA-f8m6-h2c7-8h9x PYSEC-2021-859 |  | 3.6.5 |  | NLTK (Natural Language Toolkit) is a suite of open source Python modules, data sets, and tutorials supporting research and development in Natural Language …"}},
		{"transformers", "4.43.4", []string{
			"CVE-2024-11392 GHSA-qxrp-vhvm-j765 | high | 4.48.0 |  | Deserialization of Untrusted Data in Hugging Face Transformers",
			"CVE-2024-11393 GHSA-wrfc-pvp9-mr9g | high | 4.48.0 |  | Deserialization of Untrusted Data in Hugging Face Transformers",
		}},
		{"peft", "0.12.0", nil},
	} {
		var got []string
		for _, v := range find(records(t), tt.name, tt.version) {
			got = append(got, describe(v))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s %s:\n%s\nwant\n%s", tt.name, tt.version, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// TestSmallestFix checks that the proposed version has none of the flaws.
func TestSmallestFix(t *testing.T) {
	all := records(t)
	torch := find(all, "torch", "2.1.2")
	for locked, want := range map[string]string{"2.1.2": "2.10.0", "2.1.2+cu121": "2.10.0"} {
		if got := SmallestFix(torch, locked); got != want {
			t.Errorf("%s: the fix is %q, want %q", locked, got, want)
		}
	}
	if got := SmallestFix(find(all, "torch", "2.7.0")[:1], "2.7.0"); got != "" {
		t.Errorf("%s is proposed, and no fixed version is known", got)
	}
	// Two branches: each has its own fix, and the higher branch is affected again.
	two := Record{ID: "EXAMPLE-1", Affected: []Affected{{Package: Package{Ecosystem, "x"}, Ranges: []Range{{Type: "ECOSYSTEM", Events: []Event{
		{Introduced: "2.0"}, {Fixed: "2.0.3"}, {Introduced: "0"}, {Fixed: "1.4.2"},
	}}}}}}
	for locked, want := range map[string]string{"1.0": "1.4.2", "2.0.1": "2.0.3", "2.0": "2.0.3"} {
		if got := SmallestFix(find([]Record{two}, "x", locked), locked); got != want {
			t.Errorf("%s: the fix is %q, want %q", locked, got, want)
		}
	}
	for _, safe := range []string{"1.4.2", "1.9", "2.0.3", "3"} {
		if two.Affects("x", safe) {
			t.Errorf("%s is affected", safe)
		}
	}
	// One record has a fix that another record about the same flaw contradicts.
	later := Record{ID: "EXAMPLE-2", Aliases: []string{"EXAMPLE-1"}, Affected: []Affected{{Package: Package{Ecosystem, "x"}, Ranges: []Range{{Type: "ECOSYSTEM", Events: []Event{{Introduced: "0"}, {Fixed: "1.5"}, {Introduced: "2.0"}}}}}}}
	if got := SmallestFix(find([]Record{two, later}, "x", "1.0"), "1.0"); got != "1.5" {
		t.Errorf("the fix is %q, want 1.5", got)
	}
}

// TestRanges checks the events of the specification, and malformed ones: a flaw is rather
// reported than left out.
func TestRanges(t *testing.T) {
	for _, tt := range []struct {
		events        []Event
		version       string
		want          bool
		becauseOfThat string
	}{
		{[]Event{{Introduced: "0"}}, "0a1", true, "0 is before all versions"},
		{[]Event{{Introduced: "1.0"}}, "0.9", false, "before"},
		{[]Event{{Introduced: "1.0"}}, "1.0.0", true, "equal"},
		{[]Event{{Introduced: "1.0"}}, "1.0rc1", false, "a pre-release is before"},
		{[]Event{{Introduced: "0"}, {Fixed: "2.0"}}, "2.0rc1", true, "a pre-release of the fixed version"},
		{[]Event{{Introduced: "0"}, {Fixed: "2.0"}}, "2.0+cu128", false, "the local version has no effect"},
		{[]Event{{Introduced: "0"}, {LastAffected: "2.0"}}, "2.0+cu128", true, "the local version has no effect"},
		{[]Event{{Introduced: "2.0"}, {LastAffected: "2.0"}}, "2.0", true, "one version"},
		{[]Event{{Introduced: "2.0"}, {LastAffected: "2.0"}}, "2.1", false, "after the one version"},
		{[]Event{{Introduced: "0"}, {LastAffected: "2.0"}}, "2.0.post1", false, "after the last"},
		{[]Event{{Fixed: "3.0"}, {Introduced: "1.0"}}, "2.0", true, "events in any order"},
		{[]Event{{Introduced: "0"}, {Fixed: "unknown"}}, "99", true, "an end that is not a version"},
		{[]Event{{Introduced: "first"}, {Fixed: "2"}}, "1", true, "a beginning that is not a version"},
		{[]Event{{Introduced: "0"}, {Fixed: ">= 3.9"}}, "3.9", false, "an operator before the version"},
		{[]Event{{Fixed: "1.0"}}, "0.5", false, "without a beginning"},
		{nil, "1.0", false, "nothing"},
	} {
		r := Record{ID: "EXAMPLE-1", Affected: []Affected{{Package: Package{Ecosystem, "a.B"}, Ranges: []Range{{Type: "ECOSYSTEM", Events: tt.events}}}}}
		if got := r.Affects("A_b", tt.version); got != tt.want {
			t.Errorf("%s: %v affect %s: %t", tt.becauseOfThat, tt.events, tt.version, got)
		}
	}
}

func TestGroupsJoin(t *testing.T) {
	list := groups([]Record{{ID: "A", Aliases: []string{"CVE-1"}}, {ID: "B", Aliases: []string{"CVE-2"}}, {ID: "C"}, {ID: "D", Aliases: []string{"CVE-1", "CVE-2"}}})
	if len(list) != 2 || len(list[0]) != 3 || list[1][0].ID != "C" {
		t.Errorf("the groups are %v", list)
	}
}

func TestSeverity(t *testing.T) {
	for vector, want := range map[string]Severity{
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": Critical, "CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H": High, "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:L": Low,
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N": Critical, "AV:N/AC:L/Au:N/C:P/I:P/A:P": High, "CVSS:9.9/X": Unknown, "": Unknown,
	} {
		if got := (Score{Score: vector}).severity(); got != want {
			t.Errorf("%s is %q, want %q", vector, got, want)
		}
	}
	malicious := Record{ID: "MAL-2026-1"}
	if got := malicious.severity("x"); got != Critical {
		t.Errorf("a malicious package is %q", got)
	}
}

func TestParseAll(t *testing.T) {
	for text, want := range map[string]string{
		`{"id":"A"}`:                         "A",
		"{\"id\":\"A\"}\n{\"id\":\"B\"}\n\n": "A B",
		`[{"id":"A"},{"id":"B","database_specific":{"severity":7}}]`: "A B",
		`[]`: "", ``: "",
		`{"id":""}`: "error", `{"x":1}`: "error", `[1]`: "error", `{"id":"A"`: "error", `"A"`: "error", `[{"id":"A"},{}]`: "error",
	} {
		var ids []string
		err := ParseAll([]byte(text), func(r Record) { ids = append(ids, r.ID) })
		if got := strings.Join(ids, " "); err == nil && got != want || (err != nil) != (want == "error") {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{"CVE-2026-1": true, "BIT-pytorch-2026-24747": true, "": false, "a/b": false, "..": false, "a b": false, "é": false} {
		if ValidID(id) != want {
			t.Errorf("%q is valid: %t", id, !want)
		}
	}
}

// A record of a hostile database cannot write further lines, or pass a text as an identifier.
func TestParseKeepsOneLineAndIdentifiers(t *testing.T) {
	r, err := Parse([]byte(`{"id":"A-1","aliases":["CVE-1\nAudit: nothing found","CVE-2"],"summary":"a\n\nb","details":"` + strings.Repeat("é", 1000) + `"}`))
	if err != nil || len(r.Aliases) != 1 || r.Aliases[0] != "CVE-2" || r.Summary != "a b" {
		t.Errorf("%q, %q, %v", r.Aliases, r.Summary, err)
	}
	if len(r.Details) > 200 || !utf8.ValidString(r.Details) {
		t.Errorf("the details are %q", r.Details)
	}
	if _, err := Parse([]byte(`{"id":"A\u001b[2J"}`)); err == nil {
		t.Error("an invalid identifier is accepted")
	}
}

// The time of one record is bounded, whatever its events are.
func TestParseRefusesEndlessEvents(t *testing.T) {
	record := func(n int) string {
		events := strings.Repeat(`{"fixed":"1.0"},`, n) + `{"introduced":"0"}`
		return `{"id":"A-1","affected":[{"package":{"ecosystem":"PyPI","name":"x"},"ranges":[{"type":"ECOSYSTEM","events":[` + events + `]}]}]}`
	}
	if _, err := Parse([]byte(record(1000))); err != nil {
		t.Error(err)
	}
	if _, err := Parse([]byte(record(100_000))); err == nil || !strings.Contains(err.Error(), "A-1 has more than 2000 events") {
		t.Errorf("the error is %v", err)
	}
}

// Records that join two groups each take no quadratic time: with one, this test takes many seconds.
func TestFindManyRecordsOfOneFlaw(t *testing.T) {
	var list []Record
	affected := []Affected{{Package: Package{Ecosystem, "x"}, Versions: []string{"1.0"}}}
	const n = 20_000
	for i := range n {
		list = append(list, Record{ID: fmt.Sprintf("A-%d", i), Affected: affected})
	}
	for i := range n - 1 {
		list = append(list, Record{ID: fmt.Sprintf("B-%d", i), Aliases: []string{fmt.Sprintf("A-%d", i), fmt.Sprintf("A-%d", i+1)}, Affected: affected})
	}
	if found := find(list, "x", "1.0"); len(found) != 1 || len(found[0].IDs) != 2*n-1 {
		t.Errorf("%d flaws", len(found))
	}
}

// FuzzFind checks that every proposed fix is above the locked version and has none of the flaws.
func FuzzFind(f *testing.F) {
	text, err := os.ReadFile("testdata/records.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, "torch", "2.1.2+cu121")
	f.Add([]byte(`{"id":"A","affected":[{"package":{"ecosystem":"PyPI","name":"x"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":">=1"}]}]}]}`), "x", "0.1")
	f.Fuzz(func(t *testing.T, text []byte, name, version string) {
		var list []Record
		if ParseAll(text, func(r Record) { list = append(list, r) }) != nil {
			return
		}
		flaws := find(list, name, version)
		for i := range flaws {
			if !flaws[i].Affects(version) || flaws[i].ID == "" {
				t.Errorf("%+v does not affect %s", flaws[i], version)
			}
		}
		if fix := SmallestFix(flaws, version); fix != "" {
			for i := range flaws {
				if flaws[i].Affects(fix) && (len(flaws[i].Fixes) > 0 || flaws[i].LastAffected != "") {
					t.Errorf("%s has %s", fix, flaws[i].ID)
				}
			}
		}
	})
}
