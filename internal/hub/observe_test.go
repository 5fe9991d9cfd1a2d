package hub_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/hubtest"
)

const (
	repo     = "meta-llama/Tiny-Llama"
	revision = "0e9e39f249a16976918f6564b8830bc894c89659"
	other    = "c170c708c41dac9275d15a8fff4eca08d52bab71"
)

func observe(t *testing.T, cache string, exclude ...string) facts.Model {
	t.Helper()
	m, err := hub.Observe(cache, hub.Pin{Repo: repo, Revision: revision, Exclude: exclude}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestObserveCompleteModel tests Observe with the list of the revision and without.
func TestObserveCompleteModel(t *testing.T) {
	cache := t.TempDir()
	if m := observe(t, cache); m.State != facts.ModelAbsent || len(m.Faults) > 0 {
		t.Errorf("an empty cache: %+v", m)
	}
	made := hubtest.New(t, cache, repo, revision)
	made.Sharded(4, 100)
	for _, listed := range []bool{false, true} {
		if listed {
			made.Tree()
		}
		m := observe(t, cache)
		if m.State != facts.ModelComplete || len(m.Faults) > 0 || len(m.Files) != 7 || m.Shards != 4 || m.ShardsNeeded != 4 || m.Weights != "safetensors" || m.Listed != listed {
			t.Errorf("listed %v: %+v", listed, m)
		}
		if m.Verified != 0 || m.IsVerified() {
			t.Errorf("nothing was hashed, but %d files are verified", m.Verified)
		}
	}
}
