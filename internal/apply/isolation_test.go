package apply

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// TestSmokeTestSeesNeitherHomeNorNetwork imports a module that lists its home directory and
// its variables, and connects to a server of this machine.
func TestSmokeTestSeesNeitherHomeNorNetwork(t *testing.T) {
	python := findPython(t)
	server, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer server.Close()
	gen, report := filepath.Join(t.TempDir(), "gen"), filepath.Join(t.TempDir(), "report")
	out, err := exec.Command(python, "-I", "-m", "venv", "--without-pip", gen).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	libs, err := filepath.Glob(filepath.Join(gen, "lib", "python3*", "site-packages"))
	check(t, err)
	host, port, err := net.SplitHostPort(server.Addr().String())
	check(t, err)
	check(t, os.WriteFile(filepath.Join(libs[0], "spy.py"), fmt.Appendf(nil, `
import os, socket
lines = ["home %%s" %% os.listdir(os.environ["HOME"])] + ["variable " + name for name in os.environ]
try:
    socket.create_connection((%q, %s), 5)
    lines.append("connected")
except OSError:
    pass
open(%q, "w").write("\n".join(lines))
open(os.path.join(os.environ["HOME"], "secret"), "w").close()
`, host, port, report), 0o644))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	parts, err := RunSmokeTest(t.Context(), gen, t.TempDir(), resources.SmokeTest{Imports: []string{"spy"}}, nil)
	check(t, err)
	if parts[0].Outcome != SmokeTestPassed {
		t.Fatalf("%+v", parts)
	}
	b, err := os.ReadFile(report)
	check(t, err)
	text := string(b)
	if !strings.HasPrefix(text, "home []\n") || strings.Contains(text, "variable XDG") || strings.Contains(text, "variable AWS") {
		t.Errorf("the module found %s", text)
	}
	if left, err := os.ReadDir(os.Getenv("HOME")); err != nil || len(left) > 0 {
		t.Errorf("it wrote into the user's home: %v, %v", left, err)
	}
	if !command.CanIsolate() {
		t.Skip("the kernel of this machine refuses network namespaces: the network was not tested")
	}
	if strings.Contains(text, "connected") {
		t.Error("the module reached a server")
	}
}
