package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// elsewhere returns the command line that runs reconcile on another machine with the same
// home: with another host name and machine id and, unless driver is "", with an NVIDIA driver
// of that version and two GPUs.
func (s *site) elsewhere(driver string, args ...string) []string {
	s.t.Helper()
	script := "hostname another && mount --bind /dev/null /etc/machine-id"
	if driver != "" {
		script += " && mount -t tmpfs none /proc/driver && for bus in 0000:01:00.0 0000:02:00.0; do" +
			" mkdir -p /proc/driver/nvidia/gpus/$bus && printf 'Model: \\t\\t NVIDIA H100\\n' >/proc/driver/nvidia/gpus/$bus/information; done" +
			" && echo 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  " + driver + "  Sun May 12' >/proc/driver/nvidia/version"
	}
	return append([]string{"unshare", "-u", "-m", "sh", "-c", script + ` && exec "$0" "$@"`, must(exec.LookPath("reconcile"))}, args...)
}

// wantElsewhere runs reconcile on another machine, and fails unless it ends with a code.
func (s *site) wantElsewhere(code int, driver string, args ...string) runResult {
	s.t.Helper()
	e := s.runCommand(s.elsewhere(driver, args...)...)
	if e.code != code {
		s.t.Fatalf("reconcile %s: want exit code %d\n%s", strings.Join(args, " "), code, e)
	}
	return e
}

// TestAnotherMachineTestsWithoutBuilding uses one home on machines that differ by their
// names, and by their drivers.
func TestAnotherMachineTestsWithoutBuilding(t *testing.T) {
	if out, err := exec.Command("unshare", "-u", "-m", "sh", "-c", "mount -t tmpfs none /proc/driver && mount --bind /dev/null /etc/machine-id").CombinedOutput(); err != nil {
		t.Skipf("this machine has no mount namespaces with /proc/driver: %s", out)
	}
	if _, err := os.Stat("/proc/driver/nvidia"); err == nil {
		t.Skip("this machine has an NVIDIA driver")
	}
	broken := filepath.Join(t.TempDir(), "broken")
	x := newMirror(t, wheel{name: "alpha", version: "1.0", init: fmt.Sprintf("import os\nif os.path.exists(%q):\n    raise ImportError('no kernel image')\n", broken)})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentManifest("alpha==1.0"))
	s.want(0, "lock", "--env", "local")
	s.checkConverges()
	before, err := os.Readlink(s.path(".venv/generation"))
	check(t, err)
	run := []string{"--env", "local", "run", "--", "python", "-c", "import alpha; print(alpha.version)"}
	plan := []string{"--env", "local", "plan", "--detailed-exitcode"}

	// Another name is the same machine.
	for _, args := range [][]string{plan, run, {"--env", "local", "status"}, {"--env", "local", "apply", "-y"}} {
		if e := s.wantElsewhere(0, "", args...); e.contains("tested") || e.contains("Warning") || e.contains("testing") {
			t.Error(e)
		}
	}

	// Another driver is another one: it is tested once, without a build.
	const note = "environment local is not yet tested on this machine (driver 550.54.15, 2 x NVIDIA H100): `reconcile apply --env local` tests it"
	for _, args := range [][]string{plan, {"--env", "local", "status"}} {
		if e := s.wantElsewhere(0, "550.54.15", args...); !strings.Contains(strings.Join(strings.Fields(e.out), " "), note) {
			t.Error(e)
		}
	}
	if e := s.wantElsewhere(0, "550.54.15", run...); e.out != "1.0\n" || e.err != "Warning: "+note+".\n" {
		t.Error(e)
	}
	if e := s.wantElsewhere(0, "550.54.15", "--env", "local", "apply", "-y"); !e.contains("Nothing to do", "testing it on this machine (driver 550.54.15, 2 x NVIDIA H100)", "imports: ok, alpha") {
		t.Error(e)
	}
	for _, args := range [][]string{plan, run, {"--env", "local", "apply", "-y"}} {
		if e := s.wantElsewhere(0, "550.54.15", args...); e.contains("tested") || e.contains("Warning") || e.contains("testing") {
			t.Error(e)
		}
	}

	// doctor tests a third one, and records that.
	if e := s.wantElsewhere(0, "560.1", plan...); !e.contains("not yet tested") {
		t.Error(e)
	}
	if e := s.runCommand(s.elsewhere("560.1", "--env", "local", "doctor", "--offline", "--no-smoke-test")...); !e.contains("not yet tested") {
		t.Error(e)
	}
	s.runCommand(s.elsewhere("560.1", "--env", "local", "doctor", "--offline")...)
	if e := s.wantElsewhere(0, "560.1", plan...); e.contains("tested") {
		t.Error(e)
	}

	// On the fourth one the environment does not work. It stays active.
	check(t, os.WriteFile(broken, nil, 0o600))
	if e := s.wantElsewhere(4, "570.1", "--env", "local", "apply", "-y"); !e.contains("cannot import alpha in generation", "apply.prove", "no kernel image", "it stays active") {
		t.Error(e)
	}
	if e := s.wantElsewhere(0, "570.1", plan...); !e.contains("failed its smoke test") {
		t.Error(e)
	}
	if e := s.wantElsewhere(1, "570.1", run...); !e.contains("failed its smoke test") {
		t.Error(e)
	}
	check(t, os.Remove(broken))
	s.wantElsewhere(0, "570.1", "--env", "local", "apply", "-y")
	s.wantElsewhere(0, "570.1", run...)
	if after, err := os.Readlink(s.path(".venv/generation")); err != nil || after != before {
		t.Errorf("%s is active, not %s: %v", after, before, err)
	}
	if e := s.want(0, plan...); e.contains("tested") {
		t.Error(e)
	}
}
