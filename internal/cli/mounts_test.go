package cli

import (
	"os"
	"testing"
)

// TestMountOptionsOfTheStore plans an environment whose store is on a file system from which
// no program can be started, and on a read-only one.
func TestMountOptionsOfTheStore(t *testing.T) {
	x := newMirror(t, wheel{name: "beta", version: "1.0"})
	for option, want := range map[string][]string{
		"noexec": {"store.noexec", "remount,exec"},
		"ro":     {"store.read-only", "remount,rw"},
	} {
		t.Run(option, func(t *testing.T) {
			s := siteAt(t, must(os.MkdirTemp(t.TempDir(), "")), x.indexURL())
			s.write("manifest.yaml", environmentManifest("beta==1.0"))
			s.want(0, "lock", "--env", "local")
			store := s.store("")
			check(t, os.RemoveAll(store))
			check(t, os.Mkdir(store, 0o700))
			s.want(0, "plan", "--env", "local")
			mountTmpfs(t, store, "mode=700,"+option)
			for _, command := range []string{"plan", "apply"} {
				if e := s.run(command, "--env", "local"); e.code != 3 || !e.contains(append(want, store)...) {
					t.Errorf("%s", e)
				}
			}
			if e := s.run("doctor", "--offline", "--env", "local"); e.code != 3 || !e.contains(store) {
				t.Errorf("%s", e)
			}
		})
	}
}

// TestProjectOnNoexec checks that nothing in the project needs to be executable: launchers are
// links into the store.
func TestProjectOnNoexec(t *testing.T) {
	x := newMirror(t, wheel{name: "beta", version: "1.0"})
	s := siteAt(t, must(os.MkdirTemp(t.TempDir(), "")), x.indexURL())
	mountTmpfs(t, s.root, "noexec")
	s.write("manifest.yaml", environmentManifest("beta==1.0"))
	s.want(0, "lock", "--env", "local")
	s.want(0, "apply", "-y", "--env", "local")
	if got, err := s.imports("beta"); err != nil {
		t.Errorf("%q, %v", got, err)
	}
	s.want(0, "run", "--env", "local", "--", "python", "-c", "import beta")
}

// TestSmallTMPDIR applies with a TMPDIR that holds nothing: temporary files are in the store.
func TestSmallTMPDIR(t *testing.T) {
	x := newMirror(t, wheel{name: "beta", version: "1.0"})
	s := siteAt(t, must(os.MkdirTemp(t.TempDir(), "")), x.indexURL())
	small := t.TempDir()
	mountTmpfs(t, small, "size=8k")
	check(t, os.WriteFile(small+"/full", make([]byte, 8<<10), 0o600))
	s = s.with("TMPDIR=" + small)
	s.write("manifest.yaml", environmentManifest("beta==1.0"))
	s.want(0, "lock", "--env", "local")
	s.want(0, "apply", "-y", "--env", "local")
}
