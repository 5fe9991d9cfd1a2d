package cli

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/hubtest"
	"github.com/reconcile-ml/reconcile/internal/report"
)

const (
	gatedRepo   = "meta/Tiny-Instruct"
	openRepo    = "mist/Tiny"
	gatedCommit = "0123456789abcdef0123456789abcdef01234567"
	openCommit  = "89abcdef0123456789abcdef0123456789abcdef"
)

// modelsManifest has two models for environment remote, and none for local.
const modelsManifest = `version: 1
project: story
directories:
  models: {path: models}
environments:
  local: {type: venv, python: "3.10", match: {gpu: [none, nvidia]}, path: .venv, lock: local.toml, platforms: [linux-x86_64], packages: []}
  remote:
    type: conda
    python: "3.10"
    lock: remote.toml
    platforms: [linux-x86_64]
    channels: [conda-forge]
    packages: [{name: huggingface-hub, version: 0.24.7}]
models:
  - {repo: ` + gatedRepo + `, revision: ` + gatedCommit + `, gated: true, exclude: ["original/*", "*.bin"], size: 16GB, environments: [remote]}
  - {repo: ` + openRepo + `, revision: ` + openCommit + `, environments: [remote]}
`

// modelsSite returns a site with modelsManifest.
func modelsSite(t *testing.T) *site {
	s := newSite(t, "")
	s.write("manifest.yaml", modelsManifest)
	return s
}

// listModels runs models --json and decodes the output.
func (s *site) listModels(words ...string) report.Models {
	s.t.Helper()
	var list report.Models
	check(s.t, json.Unmarshal([]byte(s.want(exit.Done, append([]string{"models", "--json"}, words...)...).out), &list))
	return list
}

// TestModelsListing checks the list of models, and that it is printed without writing a file.
func TestModelsListing(t *testing.T) {
	t.Parallel()
	s := modelsSite(t)
	before := must(os.ReadDir(s.root))
	if e := s.want(exit.Done, "models"); e.out != "Environment local needs no model. `reconcile models --all` shows those of other environments.\n" {
		t.Error(e)
	}
	e := s.want(exit.Done, "models", "--all")
	for _, line := range []string{
		"cache        " + s.path("models") + " (HF_HUB_CACHE inside the environment)",
		"to download  16 GB",
		gatedRepo + "  absent",
		"  1. build environment remote first; huggingface-hub 0.24.7 is pinned for it",
		"      reconcile --env remote apply",
		"      reconcile --env remote run -- huggingface-cli login",
		"      reconcile --env remote run -- huggingface-cli download " + gatedRepo + " --revision " + gatedCommit + " --exclude 'original/*' '*.bin'",
		"      reconcile --env remote run -- huggingface-cli download " + openRepo + " --revision " + openCommit,
		"      reconcile --env remote models verify " + gatedRepo,
		`      from_pretrained("` + openRepo + `", revision="` + openCommit + `")`,
	} {
		if !slices.Contains(strings.Split(e.out, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, e.out)
		}
	}
	if strings.Count(e.out, "licence") != 2 || strings.Count(e.out, "login") != 1 { // of the gated model only
		t.Error(e)
	}
	if list := s.listModels(); len(list.Items) != 0 || list.Environment != "local" {
		t.Errorf("%+v", list)
	}
	if after := must(os.ReadDir(s.root)); len(after) != len(before) {
		t.Errorf("the project has new files: %v", after)
	}
	// The commands have the global flags of this run.
	if e := s.want(exit.Done, "-C", s.root, "-m", "manifest.yaml", "--env", "remote", "models"); !e.contains("reconcile -C " + s.root + " -m manifest.yaml --env remote run -- huggingface-cli") {
		t.Error(e)
	}
}

// TestModelsWithoutHub checks the hint how to add huggingface-hub if no environment has it.
func TestModelsWithoutHub(t *testing.T) {
	t.Parallel()
	s := modelsSite(t)
	s.write("manifest.yaml", strings.Replace(modelsManifest, "{name: huggingface-hub, version: 0.24.7}", "", 1))
	if e := s.want(exit.Done, "models", "--all"); !e.contains("environment remote has no huggingface-hub", "reconcile lock") || strings.Contains(e.out, "--revision") {
		t.Error(e)
	}
	// Damaged files are listed too, because their removal needs no huggingface-hub.
	open := hubtest.New(t, s.path("models"), openRepo, openCommit)
	open.Put("config.json", []byte("{}"), false)
	check(t, os.Remove(open.Blob("config.json")))
	if e := s.want(exit.Done, "models", "--all"); !e.contains("environment remote has no huggingface-hub", "2. config.json is a dangling link: ") {
		t.Error(e)
	}
	check(t, os.RemoveAll(open.Dir))
	s.write("manifest.yaml", "version: 1\nproject: story\ndirectories: {models: {path: models}}\nmodels: [{repo: "+openRepo+", revision: "+openCommit+"}]\n")
	if e := s.want(exit.Done, "models"); !e.contains("no environment to download with") {
		t.Error(e)
	}
	s.write("manifest.yaml", modelsManifest[:strings.Index(modelsManifest, "models:\n  -")])
	if e := s.want(exit.Done, "models", "--all"); e.out != "manifest.yaml declares no model.\n" {
		t.Error(e)
	}
}

// TestModelsOnDisk checks the reported sizes of existing and missing files.
func TestModelsOnDisk(t *testing.T) {
	t.Parallel()
	s := modelsSite(t)
	s.write("manifest.yaml", strings.Replace(modelsManifest, "size: 16GB", "size: 1kB", 1))
	gated := hubtest.New(t, s.path("models"), gatedRepo, gatedCommit)
	gated.Put("config.json", []byte("{}"), false)
	list := s.listModels("--all")
	if got := list.Items[0]; got.State != "partial" || got.Here != 2 || got.Download != 998 || !strings.HasPrefix(got.Found, "partial: 2 B") {
		t.Errorf("%+v", got)
	}
	if got := list.Items[1]; got.State != "absent" || got.Download != -1 || list.Download != 998 {
		t.Errorf("%+v", got)
	}
	check(t, os.Remove(gated.Blob("config.json")))
	if e := s.want(exit.Done, "models", "--all"); !e.contains("damaged: config.json is a dangling link", "5. config.json is a dangling link: ") {
		t.Error(e)
	}
}

// TestModelsToken checks that a token is reported wherever huggingface_hub would find it, and
// that its value is never printed.
func TestModelsToken(t *testing.T) {
	t.Parallel()
	s := modelsSite(t)
	const secret = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
	home := filepath.Join(filepath.Dir(s.root), "home")
	file := func(name string) string {
		check(t, os.MkdirAll(filepath.Dir(name), 0o755))
		check(t, os.WriteFile(name, []byte(secret), 0o600))
		t.Cleanup(func() { _ = os.Remove(name) })
		return name
	}
	none := s.listModels("--all").Token
	if none.Visible {
		t.Errorf("%+v", none)
	}
	for name, tt := range map[string]struct{ environ, want string }{
		"variable":     {"HF_TOKEN=" + secret, "HF_TOKEN"},
		"old variable": {"HUGGING_FACE_HUB_TOKEN=" + secret, "HUGGING_FACE_HUB_TOKEN"},
		"blank":        {"HF_TOKEN= ", ""},
		"file":         {"HF_TOKEN_PATH=" + file(filepath.Join(home, "tokens/mine")), filepath.Join(home, "tokens/mine")},
		"tilde":        {"HF_TOKEN_PATH=~/tokens/mine", filepath.Join(home, "tokens/mine")},
		"HF_HOME":      {"HF_HOME=" + filepath.Dir(file(filepath.Join(home, "hf/token"))), filepath.Join(home, "hf/token")},
		"XDG":          {"XDG_CACHE_HOME=" + filepath.Dir(filepath.Dir(file(filepath.Join(home, "xdg/huggingface/token")))), filepath.Join(home, "xdg/huggingface/token")},
		"no file":      {"HF_TOKEN_PATH=/nowhere/token", ""},
		"in models":    {"HF_HOME=" + filepath.Dir(file(s.path("models/token"))), s.path("models/token")},
	} {
		with := s.with(tt.environ)
		got := with.listModels("--all")
		if got.Token.Source != tt.want || got.Token.Visible != (tt.want != "") {
			t.Errorf("%s: %+v, want %q", name, got.Token, tt.want)
		}
		for _, e := range []runResult{with.want(exit.Done, "models", "--all"), with.want(exit.Done, "models", "--all", "--json", "-v")} {
			if strings.Contains(e.out+e.err, secret) {
				t.Errorf("%s: the token is printed", name)
			}
			if inside := strings.Contains(e.out, "is inside the project"); inside != (name == "in models") {
				t.Errorf("%s: %s", name, e.out)
			}
		}
	}
	check(t, os.WriteFile(filepath.Join(home, "empty"), nil, 0o600))
	if got := s.with("HF_TOKEN_PATH=" + filepath.Join(home, "empty")).listModels("--all").Token; got.Visible {
		t.Errorf("an empty file is reported as a token: %+v", got)
	}
}

// TestModelsNotes checks that variables are reported that make a program ignore the models of
// the project.
func TestModelsNotes(t *testing.T) {
	t.Parallel()
	s := modelsSite(t)
	for environ, want := range map[string]string{
		"HF_HUB_CACHE=/data/hf":         "inside the environment it has no effect",
		"TRANSFORMERS_CACHE=/data/hf":   "TRANSFORMERS_CACHE is set",
		"HF_HUB_OFFLINE=1":              "downloads are refused",
		"HF_ENDPOINT=http://u:p@h.test": "HF_ENDPOINT is set",
	} {
		e := s.with(environ).want(exit.Done, "models", "--all")
		if !e.contains(want) || strings.Contains(e.out, "u:p@") {
			t.Errorf("%s: %s", environ, e)
		}
	}
	if e := s.with("HF_HUB_CACHE="+s.path("models")).want(exit.Done, "models", "--all"); e.contains("no effect") {
		t.Error(e)
	}
}

// A tinyHub is a hub with one model of small files. It records the downloaded files.
type tinyHub struct {
	*httptest.Server
	mu      sync.Mutex
	fetched []string
}

// tinyFiles has the files of the model, by name.
var tinyFiles = map[string]string{
	"config.json": "{}", "model.safetensors": "\x02\x00\x00\x00\x00\x00\x00\x00{}", "pytorch_model.bin": "pickle", "original/consolidated.00.pth": "again", "original/params.json": "{ }", // each has a different content, because equal files are downloaded once
}

func newTinyHub(t *testing.T) *tinyHub {
	h := &tinyHub{}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *tinyHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	api := "/api/models/" + gatedRepo + "/"
	digest := func(text string) string {
		return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(text), text)))
	}
	name, resolve := strings.CutPrefix(r.URL.Path, "/"+gatedRepo+"/resolve/"+gatedCommit+"/")
	text, known := tinyFiles[name]
	switch {
	case strings.HasPrefix(r.URL.Path, api+"revision/"):
		var siblings []map[string]string
		for name := range tinyFiles {
			siblings = append(siblings, map[string]string{"rfilename": name})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"id": gatedRepo, "modelId": gatedRepo, "sha": gatedCommit, "siblings": siblings, "private": false, "tags": []string{}, "downloads": 0, "likes": 0})
	case strings.HasPrefix(r.URL.Path, api+"tree/"):
		var list []map[string]any
		for name, text := range tinyFiles {
			list = append(list, map[string]any{"type": "file", "path": name, "size": len(text), "oid": digest(text)})
		}
		_ = json.NewEncoder(w).Encode(list)
	case resolve && known:
		w.Header().Set("ETag", `"`+digest(text)+`"`)
		w.Header().Set("X-Repo-Commit", gatedCommit)
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		if r.Method == http.MethodGet {
			h.mu.Lock()
			h.fetched = append(h.fetched, name)
			h.mu.Unlock()
			_, _ = w.Write([]byte(text))
		}
	default:
		http.NotFound(w, r)
	}
}

// TestDownloadCommandsOfRealHubs runs the download commands with the versions of
// huggingface-hub that they are for, against a hub on loopback: excluded files are not
// downloaded, and the others are in the cache.
func TestDownloadCommandsOfRealHubs(t *testing.T) {
	t.Parallel()
	if testing.Short() || !hasIndex() {
		t.Skip("no package index can be reached")
	}
	for _, version := range []string{"0.24.7", "0.34.4", "2.4.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			env := filepath.Join(t.TempDir(), "env")
			if err := pipInstall(python310(), env, "huggingface-hub=="+version); err != nil {
				t.Skipf("huggingface-hub %s cannot be installed: %v", version, err)
			}
			cli, _ := hub.ParseCLI(version)
			fetch := func(h *tinyHub, cache string, words []string) ([]byte, error) {
				c := exec.Command(env+"/bin/"+words[0], words[1:]...)
				c.Env = []string{"PATH=" + env + "/bin:/usr/bin:/bin", "PYTHONPATH=" + env, "HOME=" + t.TempDir(), "HF_HUB_CACHE=" + cache, "HF_ENDPOINT=" + h.URL, "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_UPDATE_CHECK=1", "LANG=C.UTF-8"}
				out, err := c.CombinedOutput()
				slices.Sort(h.fetched)
				return out, err
			}
			for _, exclude := range [][]string{nil, {"original/*"}, {"original/*", "*.bin"}} {
				h := newTinyHub(t)
				cache := filepath.Join(t.TempDir(), "the models")
				words := cli.Download(hub.Pin{Repo: gatedRepo, Revision: gatedCommit, Exclude: exclude})
				if out, err := fetch(h, cache, words); err != nil {
					t.Fatalf("%v: %v\n%s", words, err, out)
				}
				var want []string
				for name := range tinyFiles {
					if !(len(exclude) > 0 && strings.HasPrefix(name, "original/")) && !(len(exclude) > 1 && strings.HasSuffix(name, ".bin")) {
						want = append(want, name)
					}
				}
				slices.Sort(want)
				if !slices.Equal(h.fetched, want) {
					t.Errorf("%v fetched %q, want %q", words, h.fetched, want)
				}
				for _, name := range want {
					if _, err := os.Stat(filepath.Join(cache, hub.Folder(gatedRepo), "snapshots", gatedCommit, name)); err != nil {
						t.Error(err)
					}
				}
			}
			// The syntax of other releases downloads other files, possibly without an error.
			other := hub.CLI{Major: 1}
			if !cli.Before(1, 0) {
				other = hub.CLI{Minor: 33}
			}
			h := newTinyHub(t)
			words := other.Download(hub.Pin{Repo: gatedRepo, Revision: gatedCommit, Exclude: []string{"original/*", "*.bin"}})
			words[0] = cli.Program()
			out, err := fetch(h, filepath.Join(t.TempDir(), "models"), words)
			t.Logf("%v fetched %q: %v", words, h.fetched, err)
			if slices.Equal(h.fetched, []string{"config.json", "model.safetensors"}) {
				t.Errorf("%v fetches the same files: both syntaxes of patterns work\n%s", words, out)
			}
			for _, words := range [][]string{cli.Login(), cli.WhoAmI()} {
				c := exec.Command(env+"/bin/"+words[0], append(words[1:], "--help")...)
				c.Env = []string{"PATH=/usr/bin:/bin", "PYTHONPATH=" + env, "HOME=" + t.TempDir()}
				if out, err := c.CombinedOutput(); err != nil {
					t.Errorf("%v: %v\n%s", words, err, out)
				}
			}
			// The library uses the cache of HF_HUB_CACHE, and the token of the home.
			c := exec.Command(python310(), "-c", "from huggingface_hub import constants as c; print(c.HF_HUB_CACHE); print(c.HF_TOKEN_PATH)")
			c.Env = []string{"PYTHONPATH=" + env, "HOME=/home/ada", "HF_HUB_CACHE=/srv/lora/models"}
			if out, err := c.CombinedOutput(); err != nil || string(out) != "/srv/lora/models\n/home/ada/.cache/huggingface/token\n" {
				t.Errorf("%v, %s", err, out)
			}
		})
	}
}

// TestModelFromManifestToCache runs lock, apply, the printed download command and models verify
// with a real huggingface-hub. Through each entry point of the environment the library uses the
// cache of the project, and the token of the home.
func TestModelFromManifestToCache(t *testing.T) {
	t.Parallel()
	if testing.Short() || !hasIndex() {
		t.Skip("no package index can be reached")
	}
	h := newTinyHub(t)
	s := newSite(t, "")
	s.env = slices.DeleteFunc(s.env, func(kv string) bool { return strings.HasPrefix(kv, "RECONCILE_") || strings.HasPrefix(kv, "PIP_") })
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "RECONCILE_") || strings.HasPrefix(kv, "PIP_") {
			s.env = append(s.env, kv)
		}
	}
	s.write("manifest.yaml", `version: 1
project: story
directories:
  models: {path: base models}
environments:
  train: {type: venv, python: "3.10", match: {gpu: [none, nvidia]}, path: .venv, lock: train.toml, platforms: [`+platform()+`], packages: [{name: huggingface-hub, version: 0.24.7}]}
models:
  - {repo: `+gatedRepo+`, revision: `+gatedCommit+`, exclude: ["original/*", "*.bin"]}
`)
	s.want(exit.Done, "lock")
	if got := s.listModels().Items[0].Hub; got.Version != "0.24.7" || got.Source != "locked" {
		t.Errorf("%+v", got)
	}
	s.want(exit.Done, "apply", "-y")
	item := s.listModels().Items[0]
	if item.Hub.Source != "installed" || item.State != "absent" {
		t.Errorf("%+v", item)
	}
	online := s.with("HF_ENDPOINT="+h.URL, "HF_HUB_CACHE=/nowhere", "no_proxy=127.0.0.1")
	if e := online.run(item.Hub.Download[1:]...); e.code != exit.Done {
		t.Fatal(e)
	}
	want := []string{"config.json", "model.safetensors"}
	slices.Sort(h.fetched)
	if !slices.Equal(h.fetched, want) {
		t.Errorf("fetched %q, want %q", h.fetched, want)
	}
	s.want(exit.Done, "models", "verify")
	if e := s.want(exit.Done, "models"); !e.contains(gatedRepo+"  complete, 12 B, verified ", "place     base models/models--meta--Tiny-Instruct") || strings.Contains(e.out, "download ") {
		t.Error(e)
	}
	// Each entry point.
	const ask = "from huggingface_hub import constants as c; print(c.HF_HUB_CACHE); print(c.HF_TOKEN_PATH)"
	token := filepath.Join(filepath.Dir(s.root), "home/.cache/huggingface/token")
	for _, words := range [][]string{
		{s.path(".venv/bin/python"), "-c", ask},
		{"/bin/sh", "-c", `. .venv/bin/activate && python -c "$0"`, ask},
	} {
		c := s.command(words[0], words[1:]...)
		c.Dir = s.root
		if out, err := c.CombinedOutput(); err != nil || string(out) != s.path("base models")+"\n"+token+"\n" {
			t.Errorf("%v: %v, %s", words, err, out)
		}
	}
	if e := s.run("run", "--", "python", "-c", ask); e.out != s.path("base models")+"\n"+token+"\n" {
		t.Error(e)
	}
	// The downloaded revision can be loaded without a network.
	offline := s.with("HF_HUB_OFFLINE=1")
	const load = "import sys; from huggingface_hub import hf_hub_download as d; print(open(d(sys.argv[1], 'config.json', revision=sys.argv[2])).read())"
	if e := offline.run("run", "--", "python", "-c", load, gatedRepo, gatedCommit); e.out != "{}\n" {
		t.Error(e)
	}
}
