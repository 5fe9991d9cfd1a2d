package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/golden"
)

// A parameter is a value of a file of configs/ and its comment.
type parameter struct {
	name    string // parts separated by dots
	value   string // as in the file
	comment string
}

// yamlParameters returns the parameters of a YAML mapping, each with the comment above it.
func yamlParameters(t *testing.T, n *yaml.Node, prefix string) []parameter {
	t.Helper()
	var list []parameter
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		var lines []string
		for line := range strings.Lines(key.HeadComment) {
			if line = strings.TrimSpace(strings.TrimPrefix(line, "#")); !strings.HasPrefix(line, "---") {
				lines = append(lines, line)
			}
		}
		name := prefix + key.Value
		if strings.TrimSpace(strings.Join(lines, "")) == "" {
			t.Errorf("configs/training.yaml:%d: %s has no comment", key.Line, name)
		}
		if prefix == "" {
			list = append(list, yamlParameters(t, value, name+".")...)
			continue
		}
		list = append(list, parameter{name, valueOf(t, value), strings.Join(lines, " ")})
	}
	return list
}

// jsonParameters returns the parameters of a JSON object in order, each with its line of _comment.
// At the top, "_" describes the file.
func jsonParameters(t *testing.T, n *yaml.Node, prefix string) []parameter {
	t.Helper()
	comments, values := map[string]string{}, map[string]*yaml.Node{}
	var names []string
	for i := 0; i < len(n.Content); i += 2 {
		if name := n.Content[i].Value; name == "_comment" {
			check(t, n.Content[i+1].Decode(&comments))
		} else {
			names, values[name] = append(names, name), n.Content[i+1]
		}
	}
	for name := range comments {
		if values[name] == nil && (prefix != "" || name != "_") {
			t.Errorf("configs/data.json: %s_comment.%s explains an unknown parameter", prefix, name)
		}
	}
	var list []parameter
	for _, name := range names {
		p := parameter{name: prefix + name, comment: comments[name]}
		if p.comment == "" {
			t.Errorf("configs/data.json: %s has no line in _comment", p.name)
		}
		if values[name].Kind == yaml.MappingNode {
			list = append(append(list, p), jsonParameters(t, values[name], p.name+".")...)
			continue
		}
		p.value = valueOf(t, values[name])
		list = append(list, p)
	}
	return list
}

// valueOf returns a value as in the file, a list or mapping as JSON.
func valueOf(t *testing.T, n *yaml.Node) string {
	t.Helper()
	if n.Kind == yaml.ScalarNode {
		return strings.ReplaceAll(n.Value, "\n", `\n`) // a row of a table has one line
	}
	var v any
	check(t, n.Decode(&v))
	return string(must(json.Marshal(v)))
}

// TestConfigComments checks that each parameter has a comment, and that the tables of
// docs/configuration.md, which -update writes, have all of them.
func TestConfigComments(t *testing.T) {
	var training, data yaml.Node // JSON is YAML, and nodes keep the order
	check(t, yaml.Unmarshal(must(os.ReadFile(filepath.Join(repoRoot, "configs/training.yaml"))), &training))
	check(t, yaml.Unmarshal(must(os.ReadFile(filepath.Join(repoRoot, "configs/data.json"))), &data))
	page := filepath.Join(repoRoot, "docs/configuration.md")
	text := string(must(os.ReadFile(page)))
	text = replaceTable(t, text, "training.yaml", parameterTable(yamlParameters(t, training.Content[0], "")))
	text = replaceTable(t, text, "data.json", parameterTable(jsonParameters(t, data.Content[0], "")))
	golden.Check(t, page, []byte(text))
}

func parameterTable(list []parameter) string {
	var b strings.Builder
	b.WriteString("| parameter | value | meaning, and when to change it |\n|---|---|---|\n")
	for _, p := range list {
		value := ""
		if p.value != "" {
			value = "`" + p.value + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.name, strings.ReplaceAll(value, "|", `\|`), strings.ReplaceAll(p.comment, "|", `\|`))
	}
	return b.String()
}

// replaceTable replaces the text between the two marks of a page.
func replaceTable(t *testing.T, page, name, text string) string {
	t.Helper()
	begin, end := "<!-- "+name+": from its comments -->\n", "<!-- end of "+name+" -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("docs/configuration.md has no place for the table of %s", name)
	}
	return before + begin + text + end + after
}

// settings are the merged values of one environment.
type settings struct {
	Model struct{ Name, Revision, Torch_dtype string }
	Lora  struct {
		R, Lora_alpha   int
		Lora_dropout    float64
		Bias, Task_type string
		Target_modules  []string
	}
	Quantization struct {
		Load_in_4bit, Bnb_4bit_use_double_quant     bool
		Bnb_4bit_quant_type, Bnb_4bit_compute_dtype string
	}
	Tokenizer struct{ Pad_token string }
	Collator  struct{ Response_template string }
	Dataset   struct{ Train_file, Eval_file string }
	Trainer   struct {
		Output_dir                                               string
		Dataset_text_field                                       *string
		Packing, Group_by_length                                 bool
		Learning_rate                                            float64
		Per_device_train_batch_size, Gradient_accumulation_steps int
		Max_steps, Save_steps, Eval_steps                        int
	}
}

type dataSettings struct {
	Paths   map[string]string
	Sources map[string]struct {
		Type, Url, Folder string
		Files             map[string]string
	}
	Processing struct {
		Deduplication struct{ Threshold float64 }
		Output        struct {
			Fields        map[string]string
			Eval_fraction float64
		}
	}
}

// TestConfigValues checks the specified values in every environment.
func TestConfigValues(t *testing.T) {
	t.Parallel()
	manifest := string(must(os.ReadFile(filepath.Join(repoRoot, "manifest.yaml"))))
	for _, environment := range []string{"local", "remote", "remote-current"} {
		c := newConfigs(t)
		var s settings
		c.load(&s, "training", environment)
		q, tr := s.Quantization, s.Trainer
		for what, ok := range map[string]bool{
			"a rank of 16 to 32":             s.Lora.R >= 16 && s.Lora.R <= 32,
			"an alpha of 32 to 64":           s.Lora.Lora_alpha >= 32 && s.Lora.Lora_alpha <= 64,
			"a dropout of 0.05 to 0.1":       s.Lora.Lora_dropout >= 0.05 && s.Lora.Lora_dropout <= 0.1,
			"seven modules":                  slices.Equal(s.Lora.Target_modules, []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}),
			"no bias, a causal model":        s.Lora.Bias == "none" && s.Lora.Task_type == "CAUSAL_LM",
			"4 bits, on the GPU alone":       q.Load_in_4bit == (environment != "local"),
			"NF4, double quantization":       q.Bnb_4bit_quant_type == "nf4" && q.Bnb_4bit_use_double_quant,
			"bfloat16":                       q.Bnb_4bit_compute_dtype == "bfloat16" && s.Model.Torch_dtype == "bfloat16",
			"a pinned model of the manifest": s.Model.Revision != "" && strings.Contains(manifest, "{repo: "+s.Model.Name+", revision: "+s.Model.Revision),
			"a learning rate for LoRA":       tr.Learning_rate >= 1e-4 && tr.Learning_rate <= 3e-4,
			"16 examples a step on the GPU":  environment == "local" || tr.Per_device_train_batch_size*tr.Gradient_accumulation_steps == 16,
			"checkpoints that were measured": tr.Save_steps%tr.Eval_steps == 0,
			"adapters below adapters":        strings.HasPrefix(tr.Output_dir, c.path("adapters")+"/"),
			"a pad token that is not EOS":    s.Tokenizer.Pad_token != "" && !slices.Contains([]string{"<|eot_id|>", "<|end_of_text|>", "</s>"}, s.Tokenizer.Pad_token),
			"the answers of Llama 3.1":       s.Collator.Response_template == "<|start_header_id|>assistant<|end_header_id|>\n\n",
			"similar lengths in a batch":     tr.Packing != tr.Group_by_length,
			"conversations as examples":      tr.Dataset_text_field == nil,
			"the training file of data.json": s.Dataset.Train_file == c.path("data/processed/train.jsonl"),
		} {
			if !ok {
				t.Errorf("%s: training.yaml does not have %s: %+v", environment, what, s)
			}
		}
		var d dataSettings
		c.load(&d, "data", environment)
		for what, ok := range map[string]bool{
			"the files of training.yaml":   d.Paths["train"] == s.Dataset.Train_file && d.Paths["eval"] == s.Dataset.Eval_file,
			"the field that trl reads":     d.Processing.Output.Fields["messages"] == "messages",
			"Gutendex":                     d.Sources["gutenberg"].Url == "https://gutendex.com/books",
			"Open-Meteo":                   d.Sources["open-meteo-forecast"].Url == "https://api.open-meteo.com/v1/forecast" && d.Sources["open-meteo-archive"].Url == "https://archive-api.open-meteo.com/v1/archive",
			"the owner's files":            d.Sources["reddit-theonion"].Folder == c.path("data_sources/reddit-theonion") && len(d.Sources["reddit-theonion"].Files) == 2,
			"a share for the measurement":  d.Processing.Output.Eval_fraction > 0 && d.Processing.Output.Eval_fraction < 0.5,
			"a threshold of deduplication": d.Processing.Deduplication.Threshold >= 0.7 && d.Processing.Deduplication.Threshold <= 0.95,
		} {
			if !ok {
				t.Errorf("%s: data.json does not have %s: %+v", environment, what, d)
			}
		}
		for name, source := range d.Sources {
			if source.Type == "api" && source.Folder != c.path("data/raw/"+name) {
				t.Errorf("source %s goes to %s", name, source.Folder)
			}
		}
	}
}

// configs is a project with the files of configs/ and scripts/config.py.
type configs struct {
	*site
	python string
}

// pyyaml returns a folder with PyYAML for the Python 3.10 of this machine.
var pyyaml = sync.OnceValues(func() (string, error) {
	dir, err := sharedDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "pyyaml")
	return dir, pipInstall(python310(), dir, "--no-deps", "--only-binary", ":all:", "pyyaml==6.0.3")
})

func newConfigs(t *testing.T) *configs {
	t.Helper()
	if python310() == "" {
		t.Skip("no Python 3.10 on this machine")
	}
	if !hasIndex() {
		t.Skip("PyYAML cannot be installed: no package index can be reached")
	}
	yaml, err := pyyaml()
	check(t, err)
	s := newSite(t, "").with("PYTHONPATH=" + yaml)
	for _, name := range []string{"configs/training.yaml", "configs/data.json", "configs/local.yaml", "configs/remote.yaml", "configs/remote-current.yaml", "scripts/paths.py", "scripts/config.py"} {
		s.write(name, string(must(os.ReadFile(filepath.Join(repoRoot, name)))))
	}
	return &configs{s, python310()}
}

// run prints the merged values, from a folder outside of the project.
func (c *configs) run(args ...string) runResult {
	c.t.Helper()
	cmd := c.command(c.python, append([]string{"-B", c.path("scripts/config.py")}, args...)...)
	cmd.Dir = "/"
	return c.startCommand(cmd).wait()
}

// load decodes the values of a script. The Go names have capital letters.
func (c *configs) load(into any, name, environment string) {
	c.t.Helper()
	e := c.run(name, "--env", environment)
	if e.code != 0 {
		c.t.Fatal(e)
	}
	check(c.t, json.Unmarshal([]byte(e.out), into))
}

// TestConfigEnvironments checks the selection of the environment whose overrides are merged.
func TestConfigEnvironments(t *testing.T) {
	t.Parallel()
	c := newConfigs(t)
	batch := func(e runResult) any {
		var s struct {
			Processing struct{ Batch_size any }
		}
		if err := json.Unmarshal([]byte(e.out), &s); err != nil {
			t.Errorf("%v\n%s", err, e)
		}
		return s.Processing.Batch_size
	}

	// A Python outside of an environment needs the name of one.
	if e := c.run("data"); e.code != 1 || !e.contains("the environment is unknown", "reconcile run -- python", "CONFIG_ENVIRONMENT") {
		t.Errorf("no environment\n%s", e)
	}
	if e := c.run("data", "--env", "remot"); e.code != 1 || !e.contains("remot.yaml; did you mean remote?") {
		t.Errorf("an unknown environment\n%s", e)
	}
	withVariable := &configs{c.with("CONFIG_ENVIRONMENT=remote"), c.python}
	if e := withVariable.run("data"); batch(e) != 4000.0 {
		t.Errorf("an environment by its variable\n%s", e)
	}
	if e := withVariable.run("data", "--env", "local"); batch(e) != 1000.0 {
		t.Errorf("an argument overrides the variable\n%s", e)
	}

	// The environment of a generation overrides the variable; one without a file has no
	// overrides.
	for environment, want := range map[string]any{"remote": 4000.0, "remote-legacy": 1000.0} {
		prefix := filepath.Join(c.stateDir(), "envs", environment, "0123456789ab")
		if out, err := exec.Command(c.python, "-m", "venv", "--without-pip", prefix).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		inGeneration := &configs{c.with("CONFIG_ENVIRONMENT=local"), filepath.Join(prefix, "bin", "python")}
		if e := inGeneration.run("data"); batch(e) != want {
			t.Errorf("in a generation of %s\n%s", environment, e)
		}
	}

	// As a module, from another folder and under another name.
	cmd := c.command(c.python, "-B", "-c", "import importlib, sys; sys.path.insert(0, sys.argv[1]); c = importlib.import_module('scripts.config'); print(c.load('training', 'remote')['lora']['r'])", c.root)
	cmd.Dir = "/"
	if e := c.startCommand(cmd).wait(); strings.TrimSpace(e.out) != "16" {
		t.Errorf("as a module\n%s", e)
	}
}

// TestConfigMistakes checks the messages for mistakes in overrides.
func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	c := newConfigs(t)
	for i, tt := range []struct{ file, text, want string }{
		{"remote", "training: {trainer: {learning_rat: 0.1}}", "remote.yaml: training.trainer.learning_rat: unknown parameter; did you mean learning_rate?"},
		{"remote", "training: {trainer: {learning_rate: 1e-4}}", "training.trainer.learning_rate: YAML reads 1e-4 as text; write it with a point and a sign, like 2.0e-4"},
		{"remote", "training: {trainer: {learning_rate: much}}", "training.trainer.learning_rate: expected a number, found a text"},
		{"remote", "training: {trainer: {bf16: 1}}", "training.trainer.bf16: expected true or false, found a number"},
		{"remote", "training: {trainer: 3}", "training.trainer: expected a mapping, found a number"},
		{"remote", "training: {lora: {r: {a: 1}}}", "training.lora.r: expected a number, found a mapping"},
		{"remote", "training: 0", "training: expected a mapping, found a number"},
		{"remote", "trainer: {bf16: true}", "trainer: there is no file of that name to override; did you mean training?"},
		{"remote", "- training", "expected a mapping, found a list"},
		{"remote", "training: {lora: {r: 16, r: 32}}", "duplicate key 'r'"},
		{"remote", "training: {lora: {r: 16", "remote.yaml: "},
		{"remote", "training: {? [a, b] : 1}", "remote.yaml: "},
		{"remote", "training: {dataset: {train_file: '${DATA_PROCESED}/x'}}", "training.dataset.train_file: paths.py has no DATA_PROCESED; did you mean DATA_PROCESSED?"},
		{"training", "a: 1\na: 2", "duplicate key 'a'"},
		{"remote", "training: &a\n  lora: *a\n", "remote.yaml: values are nested too deep"},
		{"remote", strings.Repeat("[", 5000), "remote.yaml: values are nested too deep"},
		{"remote", `training: {"\e[31m": 2}`, `remote.yaml: training.\x1b[31m: unknown parameter`},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			folder := t.TempDir()
			check(t, os.CopyFS(folder, os.DirFS(c.path("configs"))))
			check(t, os.WriteFile(filepath.Join(folder, tt.file+".yaml"), []byte(tt.text), 0o644))
			e := c.loadFrom(folder, "training")
			if e.code != 1 || !e.contains(tt.want) {
				t.Errorf("want %q\n%s", tt.want, e)
			}
		})
	}
	t.Run("right", func(t *testing.T) {
		folder := t.TempDir()
		check(t, os.CopyFS(folder, os.DirFS(c.path("configs"))))
		check(t, os.WriteFile(filepath.Join(folder, "remote.yaml"), []byte("training: {lora: {target_modules: all-linear, r: 32}, trainer: {num_train_epochs: 0.5, lr_scheduler_type: null}}\ndata:\n"), 0o644))
		e := c.loadFrom(folder, "training")
		if e.code != 0 || !e.contains("all-linear", "'r': 32", "'lora_alpha': 32", "'num_train_epochs': 0.5", "'lr_scheduler_type': None") {
			t.Error(e)
		}
	})
	t.Run("twice in JSON", func(t *testing.T) {
		folder := t.TempDir()
		check(t, os.WriteFile(filepath.Join(folder, "data.json"), []byte(`{"a": 1, "a": 2}`), 0o644))
		if e := c.loadFrom(folder, "data"); e.code != 1 || !e.contains("data.json: duplicate key 'a'") {
			t.Error(e)
		}
	})
	t.Run("two files", func(t *testing.T) {
		folder := t.TempDir()
		check(t, os.WriteFile(filepath.Join(folder, "data.json"), []byte(`{}`), 0o644))
		check(t, os.WriteFile(filepath.Join(folder, "data.yaml"), nil, 0o644))
		if e := c.loadFrom(folder, "data"); e.code != 1 || !e.contains("have the same name: remove one") {
			t.Error(e)
		}
	})
	for name, want := range map[string]string{"trainig": "did you mean training?", "../manifest": "known: data, local, remote, remote-current, training"} {
		if e := c.run(name, "--env", "remote"); e.code != 1 || !e.contains(want) {
			t.Errorf("want %q\n%s", want, e)
		}
	}
}

// loads loads the parameters of another folder.
func (c *configs) loadFrom(folder, name string) runResult {
	c.t.Helper()
	code := "import sys; sys.path.insert(0, sys.argv[1]); import config\ntry: print(config.load(sys.argv[3], 'remote', sys.argv[2]))\nexcept config.ConfigError as e: sys.exit(str(e))"
	return c.startCommand(c.command(c.python, "-B", "-c", code, c.path("scripts"), folder, name)).wait()
}

// TestConfigArguments checks that the values get the names of every recorded version of the
// libraries. The parameters were read from the real libraries, by testdata/config_libraries.py.
func TestConfigArguments(t *testing.T) {
	t.Parallel()
	c := newConfigs(t)
	var recorded map[string]map[string]string // library versions, function, names of parameters
	check(t, json.Unmarshal(must(os.ReadFile("testdata/config_parameters.json")), &recorded))
	for libraries, want := range map[string]string{
		"trl 0.9.6, transformers 4.43.4":  "eval_strategy=steps group_by_length=True max_seq_length=2048 warmup_ratio=0.03 tokenizer",
		"trl 0.26.2, transformers 4.57.6": "eval_strategy=steps group_by_length=True max_length=2048 warmup_ratio=0.03 processing_class",
		"trl 1.16.0, transformers 5.24.0": "activation_checkpointing=True eval_strategy=steps max_length=2048 train_sampling_strategy=group_by_length warmup_steps=0.03 processing_class",
	} {
		functions := recorded[libraries]
		delete(recorded, libraries)
		e := c.withLibraries(libraries, functions, `
got = arguments(SFTConfig, load("training", "remote")["trainer"])
names = "activation_checkpointing eval_strategy group_by_length max_length max_seq_length train_sampling_strategy warmup_ratio warmup_steps".split()
print(*["%s=%s" % (n, got[n]) for n in names if n in got], *arguments(SFTTrainer, {"tokenizer": None}))
for wrong in ({"learning_rat": 1}, {"max_length": 1, "max_seq_length": 1}):
    try: arguments(SFTConfig, wrong)
    except ConfigError as error: print(error)
`)
		_, versions, _ := strings.Cut(strings.ReplaceAll(libraries, ",", ""), " ")
		trl, _, _ := strings.Cut(versions, " ")
		for _, line := range []string{want + "\n", "SFTConfig of trl " + trl + " has no parameter learning_rat; did you mean learning_rate?", " is given twice, under its old and its new name"} {
			if e.code != 0 || !strings.Contains(e.out, line) {
				t.Errorf("%s: want %q\n%s", libraries, line, e)
			}
		}
	}
	if len(recorded) > 0 {
		t.Errorf("recorded and not tested: %v", recorded)
	}

	// Names of trl 0.7 and transformers 4.36, environment remote-legacy.
	if e := c.withLibraries("trl 0.7.11, transformers 4.36.2", map[string]string{"TrainingArguments": "evaluation_strategy warmup_steps"},
		`print(arguments(TrainingArguments, {"eval_strategy": "steps", "warmup_steps": 3}))`); !e.contains("{'evaluation_strategy': 'steps', 'warmup_steps': 3}") {
		t.Errorf("legacy\n%s", e)
	}
	// A function that takes any name, and no library.
	code := "def f(**any): pass\nprint(arguments(f, {'torch_dtype': 1, 'x': 2}))"
	for libraries, want := range map[string]string{"transformers 4.55.4": "{'torch_dtype': 1, 'x': 2}", "transformers 4.56.0": "{'dtype': 1, 'x': 2}", "": "{'torch_dtype': 1, 'x': 2}"} {
		if e := c.withLibraries(libraries, nil, code); !e.contains(want) {
			t.Errorf("%q: want %s\n%s", libraries, want, e)
		}
	}
}

// withLibraries runs code after `from config import *` where libraries ("trl 0.9.6, …") seem to be
// installed, with functions that have these parameters.
func (c *configs) withLibraries(libraries string, functions map[string]string, code string) runResult {
	c.t.Helper()
	site := c.t.TempDir()
	for library := range strings.SplitSeq(libraries, ", ") {
		if name, version, ok := strings.Cut(library, " "); ok {
			info := filepath.Join(site, name+"-"+version+".dist-info")
			check(c.t, os.Mkdir(info, 0o755))
			check(c.t, os.WriteFile(filepath.Join(info, "METADATA"), []byte("Metadata-Version: 2.1\nName: "+name+"\nVersion: "+version+"\n"), 0o644))
		}
	}
	var b strings.Builder
	b.WriteString("import sys; sys.path[:0] = sys.argv[1:]\nfrom config import *\n")
	for name, parameters := range functions {
		fmt.Fprintf(&b, "def %s(%s): pass\n%[1]s.__module__ = 'trl.trainer'\n", name, strings.Join(strings.Fields(parameters), ", "))
	}
	return c.startCommand(c.command(c.python, "-B", "-c", b.String()+code, site, c.path("scripts"))).wait()
}

// TestConfigLibraries checks that the libraries accept the values, at the versions of
// environments remote and remote-current, and train a tiny model. They are 6 and 8 GB of packages,
// from $RECONCILE_TEST_REMOTE_PYTHON and $RECONCILE_TEST_CURRENT_PYTHON, or from the environments
// of this project.
func TestConfigLibraries(t *testing.T) {
	t.Parallel()
	for _, e := range []struct{ environment, variable, python, pins string }{
		{"remote", "RECONCILE_TEST_REMOTE_PYTHON", ".conda/remote/bin/python", "environment-remote.yml"},
		{"remote-current", "RECONCILE_TEST_CURRENT_PYTHON", ".venv-current/bin/python", "requirements-remote-current.txt"},
	} {
		t.Run(e.environment, func(t *testing.T) {
			t.Parallel()
			python := os.Getenv(e.variable)
			if python == "" {
				python = must(filepath.Abs(filepath.Join(repoRoot, e.python)))
			}
			if _, err := exec.LookPath(python); err != nil {
				t.Skipf("environment %s is not installed: set %s to a Python with the packages of %s", e.environment, e.variable, e.pins)
			}
			var out bytes.Buffer
			cmd := exec.Command(python, "-B", must(filepath.Abs("testdata/config_libraries.py")), must(filepath.Abs(repoRoot)), e.environment)
			cmd.Stdout, cmd.Stderr = &out, &out
			cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "CUDA_VISIBLE_DEVICES=")
			err := cmd.Run()
			var failed *exec.ExitError
			if errors.As(err, &failed) {
				t.Fatalf("%v\n%s", err, out.String())
			}
			check(t, err)
			t.Log(out.String())
		})
	}
}
