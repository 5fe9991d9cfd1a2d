package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// testStore has a project of each status.
func testStore() *report.Store {
	used := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &report.Store{
		Path: "/home/me/.local/share/reconcile", Source: "default", FileSystem: "nfs4", Network: true, Free: 812 * gigabyte, Size: 12_400_000_000,
		Unused: 1_250_000_000, Gone: 2, GoneSize: 5_100_000_000,
		Parts: []report.StorePart{
			{Name: "dists", Entries: 312, Size: 9_100_000_000, Unused: 1_200_000_000}, {Name: "conda"},
			{Name: "tools", Entries: 2, Size: 120_000_000}, {Name: "cache", Entries: 1, Size: 40_000_000},
			{Name: "tmp", Entries: 3, Size: 50_000_000, Unused: 50_000_000}, {Name: "projects", Entries: 5, Size: 3_090_000_000},
		},
		Projects: []report.StoreProject{
			{Name: "train-1f2e3d4c5b6a", Path: "/home/me/train", Status: report.ProjectExists, LastUse: used, Environments: []string{"local", "remote"}, Generations: 3, Incomplete: 1, Shared: 5 * gigabyte, Exclusive: 120_000_000},
			{Name: "old-2f2e3d4c5b6a", Path: "/home/me/old", Status: report.ProjectMoved, MovedTo: "/home/me/new", LastUse: used, Environments: []string{"local"}, Generations: 1, Shared: 5 * gigabyte, Exclusive: 20_000_000},
			{Name: "gone-3f2e3d4c5b6a", Path: "/home/me/deleted/" + hostile, Status: report.ProjectGone, LastUse: used, Environments: []string{"local"}, Generations: 1, Exclusive: 5 * gigabyte, Kept: 2_000_000},
			{Name: "usb-4f2e3d4c5b6a", Path: "/media/me/usb/project", Status: report.ProjectUnreachable, LastUse: used, Exclusive: 4096},
			{Name: "copied", Status: report.ProjectUnknown, LastUse: used, Incomplete: 1},
		},
		Notes: []string{"the store is on nfs4: programs on other hosts are known only if `reconcile run` started them"},
	}
}

func TestPrintStore(t *testing.T) {
	page(t, "store", func(b *bytes.Buffer, o report.Options) error { return report.PrintStore(b, testStore(), o) })
	var b, none bytes.Buffer
	if err := report.StoreJSON(&b, testStore()); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/store.json", b.Bytes())
	if err := report.PrintStore(&none, &report.Store{Path: "/store", Source: "RECONCILE_STORE", Free: -1}, report.Options{}); err != nil || !strings.Contains(none.String(), "does not exist yet") {
		t.Errorf("%v, %q", err, &none)
	}
}

// testPrune has an item of each kind.
func testPrune() *report.Prune {
	return &report.Prune{Store: "/home/me/.local/share/reconcile", DryRun: true, Freed: 6_350_000_000, Items: []report.PruneItem{
		{Kind: "project", Path: "/store/projects/gone-3f2e3d4c5b6a", Project: "/home/me/deleted/" + hostile, Generations: 2, Size: 5 * gigabyte, Why: "its folder is gone; 2 MB of it are contents of files that applies replaced", Action: "removed"},
		{Kind: "generation", Path: "/store/projects/train-1f2e3d4c5b6a/envs/local/7c1f00d2a91b", Project: "/home/me/train", Environment: "local", Size: 120_000_000, Why: "not used since 2026-01-02", Action: "kept", Reason: "process 4711 (python) uses /store/projects/train-1f2e3d4c5b6a/envs/local/7c1f00d2a91b/bin/python"},
		{Kind: "wheel", Path: "/store/dists/0a", Size: 1_000_000_000, Why: "torch 2.9.0, which no environment uses", Action: "removed"},
		{Kind: "wheel", Path: "/store/dists/0b", Size: 200_000_000, Why: "numpy 1.26.4, which no environment uses", Action: "removed"},
		{Kind: "temporary", Path: "/store/tmp/x.partial", Size: 30_000_000, Why: "unchanged for 3 days", Action: "kept", Reason: "a process has locked it"},
		{Kind: "cache", Path: "/store/cache/uv", Why: "unchanged for 31 days", Action: "removed"},
	}, Notes: []string{"the store is on nfs4: programs on other hosts are known only if `reconcile run` started them"}}
}

func TestPrintPrune(t *testing.T) {
	page(t, "prune", func(b *bytes.Buffer, o report.Options) error { return report.PrunePlan(b, testPrune(), o) })
	page(t, "pruned", func(b *bytes.Buffer, o report.Options) error { return report.PruneResult(b, testPrune(), o) })
	var b bytes.Buffer
	if err := report.PruneJSON(&b, testPrune()); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/prune.json", b.Bytes())
}
