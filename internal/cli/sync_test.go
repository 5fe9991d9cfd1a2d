package cli

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/report"
)

// transferredFiles reads the files of a transfer or preview in JSON: names, and whether each
// is new.
func transferredFiles(t *testing.T, e runResult) map[string]bool {
	t.Helper()
	var doc report.Transfer
	if err := json.Unmarshal([]byte(e.out), &doc); err != nil {
		t.Fatalf("%v\n%s", err, e)
	}
	names := map[string]bool{}
	for _, c := range doc.Files {
		names[c.Path] = c.New
	}
	return names
}

// TestSyncPushAndPull checks that files that only the destination has remain, that incomplete
// files and links out of the folder are skipped, and that a second transfer has nothing to do.
func TestSyncPushAndPull(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, secret, "secret")
	for name, text := range map[string]string{
		"train.jsonl": strings.Repeat("{\"text\": \"line\"}\n", 20_000), "empty.jsonl": "", "été/ñ 日本.jsonl": "{}\n", "a b'c\"d$(touch x).jsonl": "{}\n",
		".DS_Store": "x", "._train.jsonl": "x", "half.jsonl.tmp": "x", "model.incomplete": "x", "deep/.rsync-partial/x": "x", "deep/er/x.jsonl": "deep\n",
	} {
		writeFile(t, s.path("data/processed/"+name), text)
	}
	check(t, os.Symlink("train.jsonl", s.path("data/processed/latest.jsonl")))
	check(t, os.Symlink(secret, s.path("data/processed/out")))
	check(t, os.Symlink("../../manifest.yaml", s.path("data/processed/up")))
	there := filepath.Join(remote.project, "data/processed")
	writeFile(t, filepath.Join(there, "theirs.jsonl"), "theirs\n")
	writeFile(t, filepath.Join(there, "empty.jsonl"), "not yet empty\n")

	preview := s.want(0, remote.syncArgs("push", "processed", "--dry-run", "--json")...)
	if got := len(hashTree(t, there)); got != 2 {
		t.Errorf("after a preview the remote folder has %d files, want 2", got)
	}
	text := s.want(0, remote.syncArgs("push", "processed", "--dry-run")...)
	if !text.contains("+ train.jsonl  340 kB", "~ empty.jsonl  0 B", "skipped: out, a link that leads out of the folder, to "+secret, "skipped: up,", "6 files", "5 new, 1 that differ") {
		t.Errorf("preview: %s", text)
	}
	run := s.want(0, remote.syncArgs("push", "processed", "--run", "--json")...)
	if a, b := transferredFiles(t, preview), transferredFiles(t, run); !maps.Equal(a, b) || len(b) != 6 {
		t.Errorf("the preview shows %v\nthe run transferred %v", a, b)
	}
	want := hashTree(t, s.path("data/processed"))
	maps.DeleteFunc(want, func(name, _ string) bool {
		return strings.HasPrefix(name, ".") || strings.Contains(name, "half") || strings.Contains(name, "incomplete") || strings.Contains(name, "partial") || name == "out" || name == "up"
	})
	want["theirs.jsonl"] = hashTree(t, there)["theirs.jsonl"]
	if got := hashTree(t, there); !maps.Equal(got, want) || got["theirs.jsonl"] == "" {
		t.Errorf("the remote folder has %v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	if e := s.want(0, remote.syncArgs("push", "processed", "--run")...); !e.contains("Nothing to transfer: data/processed") {
		t.Errorf("a second push: %s", e)
	}
	if e := s.want(0, remote.syncArgs("push", "processed", "--dry-run", "--checksum")...); !e.contains("Nothing to transfer") {
		t.Errorf("a push compared by content: %s", e)
	}

	adapters := filepath.Join(remote.project, "adapters")
	writeFile(t, filepath.Join(adapters, "run-1/adapter_model.safetensors"), "weights of run 1")
	writeFile(t, filepath.Join(adapters, "run-1/tmp-checkpoint-5/x"), "half")
	check(t, os.Symlink("run-1", filepath.Join(adapters, "latest")))
	check(t, os.Symlink(secret, filepath.Join(adapters, "steal")))
	writeFile(t, s.path("adapters/mine/adapter_model.safetensors"), "mine")
	writeFile(t, s.path("adapters/run-1/adapter_model.safetensors"), "older")
	e := s.want(0, remote.syncArgs("pull", "adapters", "--run")...)
	if !e.contains("Pulled 2 files", "skipped: steal", "The replaced files are in "+s.stateDir()+"/replaced/adapters/") {
		t.Errorf("a pull: %s", e)
	}
	back := hashTree(t, s.path("adapters"))
	if len(back) != 3 || back["latest"] != "-> run-1" || back["mine/adapter_model.safetensors"] == "" {
		t.Errorf("the local adapters are %v", back)
	}
	kept, err := filepath.Glob(s.store("projects/*/replaced/adapters/*/run-1/adapter_model.safetensors"))
	if err != nil || len(kept) != 1 || string(must(os.ReadFile(kept[0]))) != "older" {
		t.Errorf("the backups are %v, %v", kept, err)
	}
	if e := s.want(0, remote.syncArgs("pull", "adapters", "--run")...); !e.contains("Nothing to transfer: adapters") {
		t.Errorf("a second pull: %s", e)
	}
	s.want(1, remote.syncArgs("push", "adapters")...)
}

// TestSyncPullCreatesFolder checks a pull into a folder that does not exist.
func TestSyncPullCreatesFolder(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	if e := s.want(1, remote.syncArgs("pull", "adapters", "--dry-run")...); !e.contains("does not exist on remote", "has written its first file") {
		t.Errorf("nothing to pull: %s", e)
	}
	writeFile(t, filepath.Join(remote.project, "adapters/a/x.bin"), "x")
	preview := s.want(0, remote.syncArgs("pull", "adapters", "--dry-run", "--json")...)
	if _, err := os.Stat(s.path("adapters")); err == nil {
		t.Error("a preview created the folder")
	}
	run := s.want(0, remote.syncArgs("pull", "adapters", "--run", "--json")...)
	if a, b := transferredFiles(t, preview), transferredFiles(t, run); !maps.Equal(a, b) || !b["a/x.bin"] {
		t.Errorf("the preview shows %v\nthe run transferred %v", a, b)
	}
}

// TestSyncPartial checks that files that cannot be transferred are named, that the others are
// transferred, and that a remote folder with the name of a file is not deleted.
func TestSyncPartial(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	writeFile(t, s.path("data/processed/a.jsonl"), "a\n")
	writeFile(t, s.path("data/processed/b.jsonl"), "b\n")
	there := filepath.Join(remote.project, "data/processed")
	writeFile(t, filepath.Join(there, "a.jsonl/theirs"), "theirs\n")
	if e := s.want(4, remote.syncArgs("push", "processed", "--run")...); !e.contains("(sync.partial)", "a.jsonl") {
		t.Errorf("a remote folder with the name of a file: %s", e)
	}
	if got := hashTree(t, there); len(got) != 2 || got["a.jsonl/theirs"] == "" || got["b.jsonl"] == "" {
		t.Errorf("the remote folder has %v", got)
	}
	e := s.want(4, remote.syncArgs("push", "processed", "--run", "--json")...)
	if transferredFiles(t, e); !e.contains(`"code": "sync.partial"`) {
		t.Errorf("as JSON: %s", e)
	}
}

// TestSyncRemoteProblems checks that problems of the remote machine and the connection are
// reported with a hint.
func TestSyncRemoteProblems(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	writeFile(t, s.path("data/processed/a.jsonl"), "a\n")
	for name, c := range map[string]struct {
		config string // prepended to the configuration of ssh
		host   string
		want   string
	}{
		"refused":      {"Host remote\n  Port 1\n", "remote:" + remote.project, "sync.refused"},
		"unknown key":  {"Host remote\n  UserKnownHostsFile /dev/null\n", "remote:" + remote.project, "sync.host-key"},
		"wrong key":    {"Host remote\n  IdentityFile " + remote.path("host") + "\n  User nobody-at-all\n", "remote:" + remote.project, "sync.denied"},
		"unknown name": {"", "no-such-host.invalid:/x", "sync.unreachable"},
		"wrong path":   {"", "remote:" + remote.project + "/nowhere", "sync.path"},
	} {
		config := remote.path(strings.ReplaceAll(name, " ", "-"))
		writeFile(t, config, c.config+string(must(os.ReadFile(remote.config))))
		for _, how := range []string{"--dry-run", "--run"} {
			e := s.want(1, "sync", "push", "processed", c.host, "--ssh-config", config, how)
			if !e.contains("("+c.want+")", "hint: ") {
				t.Errorf("%s, %s: want %s\n%s", name, how, c.want, e)
			}
		}
	}
	if got := hashTree(t, remote.project); len(got) > 0 {
		t.Errorf("the remote project has %v", got)
	}
	check(t, os.Rename(remote.path("known_hosts"), remote.path("known")))
	writeFile(t, remote.path("known_hosts"), strings.Replace(string(must(os.ReadFile(remote.path("known")))), string(must(os.ReadFile(remote.path("host.pub")))), string(must(os.ReadFile(remote.path("user.pub")))), 1))
	if e := s.want(1, remote.syncArgs("push", "processed", "--run")...); !e.contains("the host key of the remote machine has changed", "ssh-keygen -R") {
		t.Errorf("changed host key: %s", e)
	}
}

// TestSyncWithoutRemoteRsync checks the problem of a remote machine without rsync.
func TestSyncWithoutRemoteRsync(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t, "ForceCommand PATH="+dirWithoutRsync(t)+"; eval \"$SSH_ORIGINAL_COMMAND\"")
	writeFile(t, s.path("data/processed/a.jsonl"), "a\n")
	if e := s.want(1, remote.syncArgs("push", "processed", "--run")...); !e.contains("(sync.no-rsync)", "apt-get install -y rsync", "--file") {
		t.Errorf("no remote rsync: %s", e)
	}
	if got := hashTree(t, remote.project); len(got) > 0 {
		t.Errorf("the remote project has %v", got)
	}
}

// dirWithoutRsync returns a directory with the programs of a small image, without rsync.
func dirWithoutRsync(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"sh", "uname", "head", "tail", "wc", "df", "mkdir", "mv", "test", "echo"} {
		check(t, os.Symlink(filepath.Join("/bin", name), filepath.Join(dir, name)))
	}
	return dir
}

// TestSyncNoisyShell checks the problem of a remote shell that prints at login.
func TestSyncNoisyShell(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t, `ForceCommand echo "Welcome to the pod"; eval "$SSH_ORIGINAL_COMMAND"`)
	writeFile(t, s.path("data/processed/a.jsonl"), "a\n")
	if e := s.want(1, remote.syncArgs("push", "processed", "--run")...); !e.contains("(sync.shell)", "Welcome to the pod", ".bashrc") {
		t.Errorf("a shell that prints: %s", e)
	}
}

// TestSyncOneFile checks that scp keeps the time of a single file, so that rsync does not copy it
// again, and that it writes through no link and into no folder.
func TestSyncOneFile(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	writeFile(t, s.path("data/processed/sub/a.jsonl"), "a\n")
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	check(t, os.Chtimes(s.path("data/processed/sub/a.jsonl"), past, past))
	for _, name := range []string{"sub/a.jsonl", "data/processed/sub/a.jsonl"} {
		if e := s.want(0, remote.syncArgs("push", "processed", "--file", name, "--dry-run")...); !e.contains("+ sub/a.jsonl  2 B") && !e.contains("~ sub/a.jsonl  2 B") {
			t.Errorf("preview of %s: %s", name, e)
		}
		if e := s.want(0, remote.syncArgs("push", "processed", "--file", name, "--run")...); !e.contains("Pushed 1 file, 2 B") {
			t.Errorf("push of %s: %s", name, e)
		}
	}
	if got := hashTree(t, remote.project); len(got) != 1 || got["data/processed/sub/a.jsonl"] == "" {
		t.Errorf("the remote folder has %v", got)
	}
	if e := s.want(0, remote.syncArgs("push", "processed", "--run")...); !e.contains("Nothing to transfer") {
		t.Errorf("push of the folder after one file: %s", e)
	}
	writeFile(t, filepath.Join(remote.project, "adapters/run/x.bin"), "weights")
	if e := s.want(0, remote.syncArgs("pull", "adapters", "--file", "run/x.bin", "--run")...); !e.contains("Pulled 1 file") {
		t.Errorf("pull of a file: %s", e)
	}
	if got := hashTree(t, s.path("adapters")); len(got) != 1 || string(must(os.ReadFile(s.path("adapters/run/x.bin")))) != "weights" {
		t.Errorf("the local folder has %v", got)
	}
	if e := s.want(1, remote.syncArgs("pull", "adapters", "--file", "none", "--run")...); !e.contains("none does not exist on remote") {
		t.Errorf("pull of an absent file: %s", e)
	}
	// A remote folder with the name of the file gets no file.
	check(t, os.MkdirAll(filepath.Join(remote.project, "data/processed/b.jsonl"), 0o755))
	writeFile(t, s.path("data/processed/b.jsonl"), "b\n")
	s.want(1, remote.syncArgs("push", "processed", "--file", "b.jsonl", "--run")...)
	if got := must(os.ReadDir(filepath.Join(remote.project, "data/processed/b.jsonl"))); len(got) > 0 {
		t.Errorf("the remote folder has %v", got)
	}
	// A link out of the folder is neither pushed nor written through.
	outside := t.TempDir()
	check(t, os.Symlink(outside, s.path("adapters/out")))
	writeFile(t, filepath.Join(remote.project, "adapters/out/x.bin"), "x")
	if e := s.want(1, remote.syncArgs("pull", "adapters", "--file", "out/x.bin", "--run")...); !e.contains("sync.leads-out") {
		t.Errorf("a pull through a link: %s", e)
	}
	check(t, os.Symlink("/etc/passwd", s.path("data/processed/passwd")))
	s.want(1, remote.syncArgs("push", "processed", "--file", "passwd", "--run")...)
	if got := must(os.ReadDir(outside)); len(got) > 0 {
		t.Errorf("the outside directory has %v", got)
	}
}

// TestSyncFileReplacesAnother checks that a file that a pull replaces is backed up once, and that
// the JSON reports whether a file is new.
func TestSyncFileReplacesAnother(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	writeFile(t, s.path("data/processed/c.jsonl"), "c\n")
	if e := s.want(0, remote.syncArgs("push", "processed", "--file", "c.jsonl", "--run", "--json")...); !transferredFiles(t, e)["c.jsonl"] {
		t.Errorf("a new file: %s", e)
	}
	writeFile(t, s.path("adapters/run/x.bin"), "weights")
	writeFile(t, filepath.Join(remote.project, "adapters/run/x.bin"), "newer weights")
	for _, keeps := range []bool{true, false} {
		e := s.want(0, remote.syncArgs("pull", "adapters", "--file", "run/x.bin", "--run", "--json")...)
		if isNew := transferredFiles(t, e)["run/x.bin"]; isNew || e.contains(`"replaced": "`+s.stateDir()) != keeps {
			t.Errorf("pull over a file, want a backup: %v\n%s", keeps, e)
		}
	}
	kept, err := filepath.Glob(s.store("projects/*/replaced/adapters/*/run/x.bin"))
	if err != nil || len(kept) != 1 || string(must(os.ReadFile(kept[0]))) != "weights" {
		t.Errorf("the backups are %v, %v", kept, err)
	}
	if got := string(must(os.ReadFile(s.path("adapters/run/x.bin")))); got != "newer weights" {
		t.Errorf("the pulled file is %q", got)
	}
}

// TestSyncFolderIsALink checks that the folder of an entry may be a link to an allowed path only.
func TestSyncFolderIsALink(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	outside := must(filepath.EvalSymlinks(t.TempDir()))
	writeFile(t, filepath.Join(outside, "a.jsonl"), "a\n")
	check(t, os.MkdirAll(s.path("data"), 0o755))
	check(t, os.Symlink(outside, s.path("data/processed")))
	for _, how := range [][]string{nil, {"--dry-run"}, {"--run"}} {
		if e := s.want(1, remote.syncArgs("push", "processed", how...)...); !e.contains("(sync.leads-out)", "manifest.yaml:4:3", "allow_paths") {
			t.Errorf("%v: %s", how, e)
		}
	}
	name := must(os.Hostname())
	s.write("manifest.yaml", "version: 1\nproject: site\ndirectories:\n  processed: {path: data/processed}\nsync:\n  processed: {push: data/processed}\nhosts:\n  "+name+": {allow_paths: ["+outside+"], directories: {processed: {path: "+outside+"}}}\n")
	// The remote folder is a link too.
	elsewhere := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(remote.project, "data"), 0o755))
	check(t, os.Symlink(elsewhere, filepath.Join(remote.project, "data/processed")))
	s.want(0, remote.syncArgs("push", "processed", "--run")...)
	if got := hashTree(t, elsewhere); got["a.jsonl"] == "" {
		t.Errorf("the target of the remote link has %v", got)
	}
	if to, err := os.Readlink(filepath.Join(remote.project, "data/processed")); to != elsewhere {
		t.Errorf("the remote link leads to %q, %v", to, err)
	}
}

// TestSyncFollowsNoLinks checks that no link to a directory in the folder is followed on either
// machine, even if the other has a directory with that name.
func TestSyncFollowsNoLinks(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	outside := t.TempDir()
	writeFile(t, s.path("data/processed/sub/a.jsonl"), "a\n")
	there := filepath.Join(remote.project, "data/processed")
	check(t, os.MkdirAll(there, 0o755))
	check(t, os.Symlink(outside, filepath.Join(there, "sub")))
	s.want(0, remote.syncArgs("push", "processed", "--run")...)
	writeFile(t, filepath.Join(remote.project, "adapters/sub/x.bin"), "x")
	check(t, os.MkdirAll(s.path("adapters"), 0o755))
	check(t, os.Symlink(outside, s.path("adapters/sub")))
	s.want(0, remote.syncArgs("pull", "adapters", "--run")...)
	if got := must(os.ReadDir(outside)); len(got) > 0 {
		t.Errorf("the outside directory has %v", got)
	}
	if hashTree(t, there)["sub/a.jsonl"] == "" || hashTree(t, s.path("adapters"))["sub/x.bin"] == "" {
		t.Errorf("remote %v, local %v", hashTree(t, there), hashTree(t, s.path("adapters")))
	}
}

// TestSyncPullThroughPlantedPartials checks that a pull writes nothing through links in the
// place of the partial files of rsync and scp, which may have come with a clone.
func TestSyncPullThroughPlantedPartials(t *testing.T) {
	t.Parallel()
	s, remote := newSyncSite(t)
	outside := t.TempDir()
	writeFile(t, filepath.Join(outside, "known"), "known\n")
	writeFile(t, filepath.Join(remote.project, "adapters/x.bin"), strings.Repeat("x", 1<<20))
	writeFile(t, filepath.Join(remote.project, "adapters/sub/y.bin"), "y")
	for _, dir := range []string{"adapters", "adapters/sub"} {
		check(t, os.MkdirAll(s.path(dir), 0o755))
		check(t, os.Symlink(outside, s.path(dir+"/.rsync-partial")))
	}
	check(t, os.Symlink(filepath.Join(outside, "known"), s.path("adapters/x.bin.part")))
	check(t, os.Symlink(filepath.Join(outside, "known"), s.path("adapters/x.bin")))
	before := snapshotTree(t, outside)
	s.run(remote.syncArgs("pull", "adapters", "--run")...)
	s.run(remote.syncArgs("pull", "adapters", "--dry-run")...)
	checkSameTree(t, before, snapshotTree(t, outside))
	if got := hashTree(t, s.path("adapters"))["sub/y.bin"]; got == "" {
		t.Error("nothing was pulled")
	}
}
