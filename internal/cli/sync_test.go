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

// moved reads what a run or a preview says that it moves: names, and whether each is new.
func moved(t *testing.T, e end) map[string]bool {
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

// A real folder goes to a machine and its adapters come back. What only one of them has
// stays, what is not whole or leads out does not travel, and the second time there is
// nothing to do.
func TestSyncThereAndBack(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	secret := filepath.Join(t.TempDir(), "secret")
	put(t, secret, "secret")
	for name, text := range map[string]string{
		"train.jsonl": strings.Repeat("{\"text\": \"line\"}\n", 20_000), "empty.jsonl": "", "été/ñ 日本.jsonl": "{}\n", "a b'c\"d$(touch x).jsonl": "{}\n",
		".DS_Store": "x", "._train.jsonl": "x", "half.jsonl.tmp": "x", "model.incomplete": "x", "deep/.rsync-partial/x": "x", "deep/er/x.jsonl": "deep\n",
	} {
		put(t, s.path("data/processed/"+name), text)
	}
	check(t, os.Symlink("train.jsonl", s.path("data/processed/latest.jsonl")))
	check(t, os.Symlink(secret, s.path("data/processed/out")))
	check(t, os.Symlink("../../manifest.yaml", s.path("data/processed/up")))
	there := filepath.Join(far.project, "data/processed")
	put(t, filepath.Join(there, "theirs.jsonl"), "theirs\n")
	put(t, filepath.Join(there, "empty.jsonl"), "not yet empty\n")

	preview := s.want(0, far.words("push", "processed", "--dry-run", "--json")...)
	if got := len(treeOf(t, there)); got != 2 {
		t.Errorf("a preview left %d files there, want the 2 that were there", got)
	}
	text := s.want(0, far.words("push", "processed", "--dry-run")...)
	if !text.says("+ train.jsonl  340 kB", "~ empty.jsonl  0 B", "skipped: out, a link that leads out of the folder, to "+secret, "skipped: up,", "6 files", "5 new, 1 that differ") {
		t.Errorf("the preview: %s", text)
	}
	run := s.want(0, far.words("push", "processed", "--run", "--json")...)
	if a, b := moved(t, preview), moved(t, run); !maps.Equal(a, b) || len(b) != 6 {
		t.Errorf("the preview shows %v\nthe run moved   %v", a, b)
	}
	want := treeOf(t, s.path("data/processed"))
	maps.DeleteFunc(want, func(name, _ string) bool {
		return strings.HasPrefix(name, ".") || strings.Contains(name, "half") || strings.Contains(name, "incomplete") || strings.Contains(name, "partial") || name == "out" || name == "up"
	})
	want["theirs.jsonl"] = treeOf(t, there)["theirs.jsonl"]
	if got := treeOf(t, there); !maps.Equal(got, want) || got["theirs.jsonl"] == "" {
		t.Errorf("over there is %v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	if e := s.want(0, far.words("push", "processed", "--run")...); !e.says("Nothing to transfer: data/processed") {
		t.Errorf("a second push: %s", e)
	}
	if e := s.want(0, far.words("push", "processed", "--dry-run", "--checksum")...); !e.says("Nothing to transfer") {
		t.Errorf("a push compared by content: %s", e)
	}

	adapters := filepath.Join(far.project, "adapters")
	put(t, filepath.Join(adapters, "run-1/adapter_model.safetensors"), "weights of run 1")
	put(t, filepath.Join(adapters, "run-1/tmp-checkpoint-5/x"), "half")
	check(t, os.Symlink("run-1", filepath.Join(adapters, "latest")))
	check(t, os.Symlink(secret, filepath.Join(adapters, "steal")))
	put(t, s.path("adapters/mine/adapter_model.safetensors"), "mine")
	put(t, s.path("adapters/run-1/adapter_model.safetensors"), "older")
	e := s.want(0, far.words("pull", "adapters", "--run")...)
	if !e.says("Pulled 2 files", "skipped: steal", "The replaced files are in .reconcile/"+platform()) {
		t.Errorf("a pull: %s", e)
	}
	back := treeOf(t, s.path("adapters"))
	if len(back) != 3 || back["latest"] != "-> run-1" || back["mine/adapter_model.safetensors"] == "" {
		t.Errorf("the adapters here: %v", back)
	}
	kept, err := filepath.Glob(s.path(".reconcile/*/replaced/adapters/*/run-1/adapter_model.safetensors"))
	if err != nil || len(kept) != 1 || string(must(os.ReadFile(kept[0]))) != "older" {
		t.Errorf("what the pull replaced is kept as %v, %v", kept, err)
	}
	if e := s.want(0, far.words("pull", "adapters", "--run")...); !e.says("Nothing to transfer: adapters") {
		t.Errorf("a second pull: %s", e)
	}
	s.want(1, far.words("push", "adapters")...)

	// Where reconcile would keep what a pull replaces stands a link that leads out.
	replaced := filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(kept[0]))))
	check(t, os.RemoveAll(replaced))
	outside := t.TempDir()
	check(t, os.Symlink(outside, replaced))
	put(t, filepath.Join(adapters, "run-1/adapter_model.safetensors"), "newer weights of run 1")
	if e := s.want(1, far.words("pull", "adapters", "--run")...); !e.says("(sync.leads-out)") || len(must(os.ReadDir(outside))) > 0 {
		t.Errorf("a pull that would keep things outside: %s", e)
	}
}

// A pull into a folder that is not here yet, previewed and done.
func TestSyncPullIntoNothing(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	if e := s.want(1, far.words("pull", "adapters", "--dry-run")...); !e.says("there is no folder", "has the training over there written anything yet?") {
		t.Errorf("nothing to pull: %s", e)
	}
	put(t, filepath.Join(far.project, "adapters/a/x.bin"), "x")
	preview := s.want(0, far.words("pull", "adapters", "--dry-run", "--json")...)
	if _, err := os.Stat(s.path("adapters")); err == nil {
		t.Error("a preview made the folder")
	}
	run := s.want(0, far.words("pull", "adapters", "--run", "--json")...)
	if a, b := moved(t, preview), moved(t, run); !maps.Equal(a, b) || !b["a/x.bin"] {
		t.Errorf("the preview shows %v\nthe run moved   %v", a, b)
	}
}

// What cannot be moved is named, and the rest is moved. A folder over there that stands in
// the way of a file is not deleted.
func TestSyncInPart(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	put(t, s.path("data/processed/a.jsonl"), "a\n")
	put(t, s.path("data/processed/b.jsonl"), "b\n")
	there := filepath.Join(far.project, "data/processed")
	put(t, filepath.Join(there, "a.jsonl/theirs"), "theirs\n")
	if e := s.want(4, far.words("push", "processed", "--run")...); !e.says("(sync.partial)", "a.jsonl") {
		t.Errorf("a folder in the way: %s", e)
	}
	if got := treeOf(t, there); len(got) != 2 || got["a.jsonl/theirs"] == "" || got["b.jsonl"] == "" {
		t.Errorf("over there is %v", got)
	}
	e := s.want(4, far.words("push", "processed", "--run", "--json")...)
	if moved(t, e); !e.says(`"code": "sync.partial"`) {
		t.Errorf("as a document: %s", e)
	}
}

// What the other machine, or the way to it, can be like. Each is said, with what to do.
func TestSyncTroubles(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	put(t, s.path("data/processed/a.jsonl"), "a\n")
	for name, c := range map[string]struct {
		config string // put in front of the configuration of ssh
		host   string
		want   string
	}{
		"refused":      {"Host far\n  Port 1\n", "far:" + far.project, "sync.refused"},
		"unknown key":  {"Host far\n  UserKnownHostsFile /dev/null\n", "far:" + far.project, "sync.host-key"},
		"wrong key":    {"Host far\n  IdentityFile " + far.at("host") + "\n  User nobody-at-all\n", "far:" + far.project, "sync.denied"},
		"unknown name": {"", "no-such-host.invalid:/x", "sync.unreachable"},
		"wrong path":   {"", "far:" + far.project + "/nowhere", "sync.path"},
	} {
		config := far.at(strings.ReplaceAll(name, " ", "-"))
		put(t, config, c.config+string(must(os.ReadFile(far.config))))
		for _, how := range []string{"--dry-run", "--run"} {
			e := s.want(1, "sync", "push", "processed", c.host, "--ssh-config", config, how)
			if !e.says("("+c.want+")", "hint: ") {
				t.Errorf("%s, %s: want %s\n%s", name, how, c.want, e)
			}
		}
	}
	if got := treeOf(t, far.project); len(got) > 0 {
		t.Errorf("over there is now %v", got)
	}
	check(t, os.Rename(far.at("known_hosts"), far.at("known")))
	put(t, far.at("known_hosts"), strings.Replace(string(must(os.ReadFile(far.at("known")))), string(must(os.ReadFile(far.at("host.pub")))), string(must(os.ReadFile(far.at("user.pub")))), 1))
	if e := s.want(1, far.words("push", "processed", "--run")...); !e.says("another host key than before", "ssh-keygen -R") {
		t.Errorf("another host key: %s", e)
	}
}

func TestSyncWithoutRsyncOverThere(t *testing.T) {
	t.Parallel()
	s, far := traveller(t, "ForceCommand PATH="+bare(t)+"; eval \"$SSH_ORIGINAL_COMMAND\"")
	put(t, s.path("data/processed/a.jsonl"), "a\n")
	if e := s.want(1, far.words("push", "processed", "--run")...); !e.says("(sync.no-rsync)", "apt-get install -y rsync", "--file") {
		t.Errorf("no rsync over there: %s", e)
	}
	if got := treeOf(t, far.project); len(got) > 0 {
		t.Errorf("over there is now %v", got)
	}
}

// bare is a folder with the programs that a small image has, without rsync.
func bare(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"sh", "uname", "head", "tail", "wc", "df", "mkdir", "mv", "test", "echo"} {
		if err := os.Symlink(filepath.Join("/bin", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSyncNoisyShell(t *testing.T) {
	t.Parallel()
	s, far := traveller(t, `ForceCommand echo "Welcome to the pod"; eval "$SSH_ORIGINAL_COMMAND"`)
	put(t, s.path("data/processed/a.jsonl"), "a\n")
	if e := s.want(1, far.words("push", "processed", "--run")...); !e.says("(sync.shell)", "Welcome to the pod", ".bashrc") {
		t.Errorf("a shell that talks: %s", e)
	}
}

// A single file goes by scp, under another name until it is whole, with its time, so that
// rsync does not send it again. It needs no rsync over there.
func TestSyncOneFile(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	put(t, s.path("data/processed/sub/a.jsonl"), "a\n")
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	check(t, os.Chtimes(s.path("data/processed/sub/a.jsonl"), past, past))
	for _, name := range []string{"sub/a.jsonl", "data/processed/sub/a.jsonl"} {
		if e := s.want(0, far.words("push", "processed", "--file", name, "--dry-run")...); !e.says("+ sub/a.jsonl  2 B") && !e.says("~ sub/a.jsonl  2 B") {
			t.Errorf("the preview of %s: %s", name, e)
		}
		if e := s.want(0, far.words("push", "processed", "--file", name, "--run")...); !e.says("Pushed 1 file, 2 B") {
			t.Errorf("push of %s: %s", name, e)
		}
	}
	if got := treeOf(t, far.project); len(got) != 1 || got["data/processed/sub/a.jsonl"] == "" {
		t.Errorf("over there is %v", got)
	}
	if e := s.want(0, far.words("push", "processed", "--run")...); !e.says("Nothing to transfer") {
		t.Errorf("a push of all after that of one: %s", e)
	}
	put(t, filepath.Join(far.project, "adapters/run/x.bin"), "weights")
	if e := s.want(0, far.words("pull", "adapters", "--file", "run/x.bin", "--run")...); !e.says("Pulled 1 file") {
		t.Errorf("pull of a file: %s", e)
	}
	if got := treeOf(t, s.path("adapters")); len(got) != 1 || string(must(os.ReadFile(s.path("adapters/run/x.bin")))) != "weights" {
		t.Errorf("here is %v", got)
	}
	if e := s.want(1, far.words("pull", "adapters", "--file", "none", "--run")...); !e.says("there is no file") {
		t.Errorf("pull of a file that is not there: %s", e)
	}
	// Where a folder has the name of the file, nothing is moved into it.
	check(t, os.MkdirAll(filepath.Join(far.project, "data/processed/b.jsonl"), 0o755))
	put(t, s.path("data/processed/b.jsonl"), "b\n")
	s.want(1, far.words("push", "processed", "--file", "b.jsonl", "--run")...)
	if got := must(os.ReadDir(filepath.Join(far.project, "data/processed/b.jsonl"))); len(got) > 0 {
		t.Errorf("the folder over there has now %v", got)
	}
	// A link that leads out is neither sent nor written through.
	outside := t.TempDir()
	check(t, os.Symlink(outside, s.path("adapters/out")))
	put(t, filepath.Join(far.project, "adapters/out/x.bin"), "x")
	if e := s.want(1, far.words("pull", "adapters", "--file", "out/x.bin", "--run")...); !e.says("sync.leads-out") {
		t.Errorf("a pull through a link: %s", e)
	}
	check(t, os.Symlink("/etc/passwd", s.path("data/processed/passwd")))
	s.want(1, far.words("push", "processed", "--file", "passwd", "--run")...)
	if got := must(os.ReadDir(outside)); len(got) > 0 {
		t.Errorf("outside is now %v", got)
	}
}

// What a pulled file replaces is kept, once, and a document says what is new.
func TestSyncFileOverAnother(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	put(t, s.path("data/processed/c.jsonl"), "c\n")
	if e := s.want(0, far.words("push", "processed", "--file", "c.jsonl", "--run", "--json")...); !moved(t, e)["c.jsonl"] {
		t.Errorf("a file that is new there: %s", e)
	}
	put(t, s.path("adapters/run/x.bin"), "weights")
	put(t, filepath.Join(far.project, "adapters/run/x.bin"), "newer weights")
	for _, keeps := range []bool{true, false} {
		e := s.want(0, far.words("pull", "adapters", "--file", "run/x.bin", "--run", "--json")...)
		if isNew := moved(t, e)["run/x.bin"]; isNew || e.says(`"replaced": ".reconcile/`) != keeps {
			t.Errorf("pull over a file, which should be kept: %v\n%s", keeps, e)
		}
	}
	kept, err := filepath.Glob(s.path(".reconcile/*/replaced/adapters/*/run/x.bin"))
	if err != nil || len(kept) != 1 || string(must(os.ReadFile(kept[0]))) != "weights" {
		t.Errorf("what the pull of a file replaced is kept as %v, %v", kept, err)
	}
	if got := string(must(os.ReadFile(s.path("adapters/run/x.bin")))); got != "newer weights" {
		t.Errorf("the file that came holds %q", got)
	}
}

// The folder of an entry may lie elsewhere where the manifest says so, and nowhere else.
func TestSyncFolderThatIsALink(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	outside := must(filepath.EvalSymlinks(t.TempDir()))
	put(t, filepath.Join(outside, "a.jsonl"), "a\n")
	check(t, os.MkdirAll(s.path("data"), 0o755))
	check(t, os.Symlink(outside, s.path("data/processed")))
	for _, how := range [][]string{nil, {"--dry-run"}, {"--run"}} {
		if e := s.want(1, far.words("push", "processed", how...)...); !e.says("(sync.leads-out)", "manifest.yaml:4:3", "allow_paths") {
			t.Errorf("%v: %s", how, e)
		}
	}
	name := must(os.Hostname())
	s.write("manifest.yaml", "version: 1\nproject: site\ndirectories:\n  processed: {path: data/processed}\nsync:\n  processed: {push: data/processed}\nhosts:\n  "+name+": {allow_paths: ["+outside+"], directories: {processed: {path: "+outside+"}}}\n")
	// Over there the folder is a link too.
	elsewhere := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(far.project, "data"), 0o755))
	check(t, os.Symlink(elsewhere, filepath.Join(far.project, "data/processed")))
	s.want(0, far.words("push", "processed", "--run")...)
	if got := treeOf(t, elsewhere); got["a.jsonl"] == "" {
		t.Errorf("where the link over there leads is %v", got)
	}
	if to, err := os.Readlink(filepath.Join(far.project, "data/processed")); to != elsewhere {
		t.Errorf("the link over there became %q, %v", to, err)
	}
}

// Below the folder a link to a folder is not followed at either end, though the other end
// has a folder of that name.
func TestSyncLinkInTheWay(t *testing.T) {
	t.Parallel()
	s, far := traveller(t)
	outside := t.TempDir()
	put(t, s.path("data/processed/sub/a.jsonl"), "a\n")
	there := filepath.Join(far.project, "data/processed")
	check(t, os.MkdirAll(there, 0o755))
	check(t, os.Symlink(outside, filepath.Join(there, "sub")))
	s.want(0, far.words("push", "processed", "--run")...)
	put(t, filepath.Join(far.project, "adapters/sub/x.bin"), "x")
	check(t, os.MkdirAll(s.path("adapters"), 0o755))
	check(t, os.Symlink(outside, s.path("adapters/sub")))
	s.want(0, far.words("pull", "adapters", "--run")...)
	if got := must(os.ReadDir(outside)); len(got) > 0 {
		t.Errorf("outside is now %v", got)
	}
	if treeOf(t, there)["sub/a.jsonl"] == "" || treeOf(t, s.path("adapters"))["sub/x.bin"] == "" {
		t.Errorf("over there %v, here %v", treeOf(t, there), treeOf(t, s.path("adapters")))
	}
}
