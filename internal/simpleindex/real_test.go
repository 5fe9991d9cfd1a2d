package simpleindex_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/pkg/probes"
)

// TestRealIndex fetches a wheel from the index of this machine, whatever it is.
func TestRealIndex(t *testing.T) {
	prober, err := probes.New(t.TempDir(), t.TempDir(), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	settings, err := prober.Index()
	if err != nil {
		t.Skipf("the index settings of this machine are invalid: %v", err)
	}
	client, err := settings.Client()
	if err != nil {
		t.Skipf("the index settings of this machine are invalid: %v", err)
	}
	wheel := lock.Wheel{File: "six-1.17.0-py2.py3-none-any.whl", Size: 11050}
	if err := wheel.SHA256.UnmarshalText([]byte("4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274")); err != nil {
		t.Fatal(err)
	}
	source, err := simpleindex.New(simpleindex.Settings{
		URL: settings.URL, NoIndex: settings.NoIndex, FindLinks: settings.FindLinks, Client: client, Redactor: prober.Redactor, Stall: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dst := filepath.Join(t.TempDir(), wheel.File)
	if err := source.Fetch(ctx, "six", wheel, dst, nil); err != nil {
		if p, ok := errors.AsType[*diag.Problem](err); ok && slices.Contains([]string{"apply.index", "index.absent", "index.credentials"}, p.Code) {
			t.Skipf("the index of this machine does not provide six 1.17.0: %v", err)
		}
		t.Fatal(err)
	}
	if b, err := os.ReadFile(dst); err != nil || int64(len(b)) != wheel.Size {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	wheel.SHA256 = facts.SHA256{1}
	if err := source.Fetch(ctx, "six", wheel, dst+".other", nil); err == nil {
		t.Error("a file with another hash was fetched")
	}
}
