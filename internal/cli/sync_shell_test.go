package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/rsync"
)

// fakeSSH is an ssh without a network: it logs its arguments and passes the command to sh,
// as sshd does.
const fakeSSH = `#!/bin/sh
printf '%s\n' "ssh $*" >> "$(dirname "$0")/log"
while [ $# -gt 0 ]; do
	case $1 in
	-p|-o|-F|-i) shift 2 ;;
	-*) exit 9 ;;
	*) break ;;
	esac
done
shift
exec sh -c "$*"
`

// hostileValues returns values that a shell or program could interpret. fire is a command
// that leaves a trace.
func hostileValues(fire string) []string {
	words := []string{
		"-oProxyCommand=" + fire, "--rsync-path=" + fire, "-e" + fire, "-l" + fire, "--", "-", "-rf",
		"'", `"`, `\`, "*", "?", "[a-z]*", "{a,b}", "~", "~root", "$HOME", "${IFS}", "!!", "^a^b", "=ls", "#x", "%h", "a b", "a\tb", "a\nb", "a\rb",
		"é", "日本", "\u202e", "\x1b[31m", "\x7f", "<x", ">x", "a&", "a|b", "a;b", "(a)", "a=b", "a,b", "+a", "@a", "a@", "a@b@c", ":", "::a", "[::1", "::1]",
	}
	for _, form := range []string{"$(%s)", "`%s`", ";%s;", "|%s", "&%s", "&&%s", "\n%s\n", "'$(%s)'", `"$(%s)"`, `\$(%s)`, "$((%s))", "<(%s)", ">(%s)", "${x:-$(%s)}", "a$(%s)b", "a/$(%s)", "'; %s; '", `"; %s; "`} {
		words = append(words, fmt.Sprintf(form, fire), "x"+fmt.Sprintf(form, fire), fmt.Sprintf(form, strings.ReplaceAll(fire, " ", "${IFS}")))
	}
	return words
}

// TestSyncHostileValues checks that no value of host, user, path, file, key or the environment
// is executed on either machine.
func TestSyncHostileValues(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("rsync"); err != nil {
		t.Skip("no rsync on this machine")
	}
	s := newSite(t, "")
	s.write("manifest.yaml", "version: 1\nproject: site\nsync:\n  processed: {push: data/processed}\n")
	writeFile(t, s.path("data/processed/a.jsonl"), "a\n")
	bin, remote := t.TempDir(), t.TempDir()
	trace := filepath.Join(bin, "trace")
	writeProgram(t, bin, "ssh", fakeSSH)
	writeProgram(t, bin, "fire", "#!/bin/sh\n: > "+trace+"\n")
	fire := filepath.Join(bin, "fire")
	hostile := s.with("PATH="+bin+":/usr/bin:/bin", "RSYNC_OLD_ARGS=1", "RSYNC_RSH="+fire, "RSYNC_PARTIAL_DIR="+bin, "RSYNC_CONNECT_PROG="+fire, "RSYNC_PROTECT_ARGS=0", "RSYNC_CHECKSUM_LIST=none", "RSYNC_ICONV=$("+fire+")")
	if e := hostile.want(0, "sync", "push", "processed", "remote:"+remote, "--run"); !e.contains("Pushed 1 file") {
		t.Fatalf("an ordinary push: %s", e)
	}
	if got := hashTree(t, bin); len(got) != 3 { // ssh, fire, log: no partial file, no trace
		t.Errorf("the directory of the programs has %v", got)
	}
	log := must(os.ReadFile(filepath.Join(bin, "log")))
	n := 0
	for w, word := range hostileValues(fire) {
		for place, words := range [][]string{
			{word}, {word + ":" + remote}, {word + "@remote:" + remote}, {"remote:" + word}, {"remote:" + remote + "/" + word}, {"user@" + word + ":" + remote},
			{"remote:" + remote, "--file", word}, {"remote:" + remote, "--identity", word}, {"remote:" + remote, "--ssh-config", word},
		} {
			if (w+place)%3 != 0 { // each value in three of the nine places
				continue
			}
			n++
			words = append([]string{"sync", "push", "processed", "--run"}, append([]string{"--"}, words...)...)
			if len(words) > 6 { // flags go before --
				words = append(append([]string{"sync", "push", "processed", "--run"}, words[6:]...), "--", words[5])
			}
			e := hostile.run(words...)
			checkNoControl(t, fmt.Sprintf("%q", words), e)
			if _, err := os.Stat(trace); err == nil {
				t.Fatalf("%q: its command ran", words)
			}
		}
	}
	after := string(must(os.ReadFile(filepath.Join(bin, "log"))))[len(log):]
	for line := range strings.Lines(after) {
		for _, r := range line {
			if strings.ContainsRune("`;&|", r) && !strings.Contains(line, "reconcile-probe") {
				t.Errorf("the arguments of ssh are %q", line)
			}
		}
	}
	t.Logf("%d values", n)
}

// TestSyncPrintedForShells checks that shells parse the printed commands into the arguments that
// --json lists.
func TestSyncPrintedForShells(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	// The project path needs quoting; the commands are run in another directory.
	root := filepath.Join(s.root, `it's $(touch fired) "x" \ ü #1 & co`)
	writeFile(t, filepath.Join(root, "manifest.yaml"), "version: 1\nproject: site\nsync:\n  processed: {push: data/processed}\n  adapters: {pull: adapters}\nhosts:\n  gpu1: {ssh: {host: \"root@2001:db8::1\", port: 2222, path: /workspace/p}}\n")
	writeFile(t, filepath.Join(root, "data/processed/a.jsonl"), "a\n")
	bin := t.TempDir()
	for _, name := range []string{"ssh", "rsync", "scp", "mkdir", "mv"} {
		writeProgram(t, bin, name, "#!/bin/sh\nprintf '%s\\0' "+name+" \"$@\" >> \"$LOG\"\nprintf '\\n\\0' >> \"$LOG\"\n")
	}
	for _, words := range [][]string{
		{"push", "processed", "gpu1"}, {"pull", "adapters", "gpu1"}, {"push", "processed", "me@remote:p", "--port", "40022", "--checksum", "--bwlimit", "500"},
		{"push", "processed", "gpu1", "--file", "a.jsonl"}, {"pull", "adapters", "remote:/p", "--file", "run/x.bin"},
	} {
		var doc struct{ Commands []rsync.Call }
		words = append([]string{"-C", root, "sync"}, words...)
		check(t, json.Unmarshal([]byte(s.want(0, append(words, "--json")...).out), &doc))
		var want []string
		for _, c := range doc.Commands {
			want = append(append(want, c.Argv()...), "\n")
		}
		for _, shell := range []string{"sh", "bash", "zsh", "dash"} {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Logf("no %s on this machine", shell)
				continue
			}
			log := filepath.Join(t.TempDir(), "log")
			cmd := exec.Command(path, "-c", s.want(0, words...).out)
			cmd.Dir, cmd.Env = t.TempDir(), []string{"PATH=" + bin + ":/usr/bin:/bin", "LOG=" + log}
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s: %v %s", shell, err, out)
			}
			got := strings.Split(strings.TrimSuffix(string(must(os.ReadFile(log))), "\x00"), "\x00")
			same := slices.EqualFunc(got, want, func(a, b string) bool {
				return a == b || strings.Contains(b, "/replaced/") && strings.Contains(a, "/replaced/") // contains the time
			})
			if !same {
				t.Errorf("%s reads %q, want %q", shell, got, want)
			}
			if left := must(os.ReadDir(cmd.Dir)); len(left) > 0 {
				t.Errorf("%s left %v", shell, left)
			}
		}
	}
}
