package manifest_test

import (
	"os"
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/manifest"
)

// root is the project of this repository.
var root = os.DirFS("../..")

var (
	mac   = manifest.Selection{Host: facts.Host{OS: "darwin", Arch: "arm64", Platform: "macos-arm64", Hostname: "mac"}, GPU: facts.GPU{Vendor: "none"}}
	linux = manifest.Selection{Host: facts.Host{OS: "linux", Arch: "x86_64", Platform: "linux-x86_64", Hostname: "box"}, GPU: facts.GPU{Vendor: "none"}}
	gpu1  = manifest.Selection{Host: facts.Host{OS: "linux", Arch: "x86_64", Platform: "linux-x86_64", Hostname: "gpu1"}, GPU: facts.GPU{Vendor: "nvidia"}}
)

func TestLoadOwn(t *testing.T) {
	m, err := manifest.Load(root, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	env, err := m.Select(mac)
	if err != nil {
		t.Fatal(err)
	}
	list, err := m.Resources(mac, env)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		t.Log(r.Addr, r.Pos)
	}
	t.Log(m.Files[0].Content)
	t.Log(m.Notes(mac, env))
}
