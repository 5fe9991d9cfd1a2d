package cli

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// TestNetrcIsNotRead checks that neither lock nor apply sends the passwords of ~/.netrc, and that
// they would be accepted.
func TestNetrcIsNotRead(t *testing.T) {
	t.Parallel()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	x.setFault(requirePassword("robot", "netrcword"))
	s := newSite(t, x.indexURL())
	netrc := fmt.Sprintf("machine %s login robot password netrcword\n", must(url.Parse(x.URL)).Hostname())
	writeFile(t, filepath.Join(filepath.Dir(s.root), "home/.netrc"), netrc)
	s.write("manifest.yaml", environmentManifest("alpha==1.0"))
	if e := s.want(1, "lock", "--env", "local"); !e.contains("index.credentials", "401 Unauthorized") {
		t.Errorf("another failure: %s", e)
	}
	known := s.with("RECONCILE_INDEX_URL=" + strings.Replace(x.indexURL(), "://", "://robot:netrcword@", 1))
	known.want(0, "lock", "--env", "local")
	s.want(4, "apply", "-y", "--env", "local")
	known.want(0, "apply", "-y", "--env", "local")
}
