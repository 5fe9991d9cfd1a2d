package catalog

import (
	"strings"
	"testing"
)

func TestNeeds(t *testing.T) {
	for _, c := range []struct{ repo, want string }{
		{"meta-llama/Llama-3.1-8B-Instruct", "transformers 4.43, tokenizers 0.19.1"},
		{"meta-llama/Llama-3.2-3B-Instruct", "transformers 4.43, tokenizers 0.19.1"},
		{"meta-llama/Llama-3.2-11B-Vision-Instruct", "tokenizers 0.19.1, transformers 4.45"},
		{"mistralai/Mistral-7B-Instruct-v0.3", "tokenizers 0.19"},
		{"Qwen/Qwen2.5-7B-Instruct", "transformers 4.37"},
		{"Qwen/Qwen2.5-VL-7B-Instruct", "transformers 4.49"},
		{"Qwen/Qwen3-8B", "transformers 4.51"},
		{"deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "transformers 4.43, tokenizers 0.19.1"},
		{"google/gemma-3n-E4B-it", "transformers 4.53"},
		{"google/gemma-2b", ""},
		{"microsoft/Phi-4-mini-instruct", "transformers 4.49"},
		{"gpt2", ""},
	} {
		var got []string
		for _, n := range Needs(c.repo) {
			got = append(got, n.Package+" "+n.Minimum)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s needs %v, want %s", c.repo, got, c.want)
		}
	}
}

// TestModelsAreComplete checks the table: each entry has versions that can be compared, an
// effect, and repositories with their owner; a prefix is there once for each package.
func TestModelsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range modelNeeds() {
		if _, ok := Compare(n.Minimum, n.Minimum); !ok || n.Package == "" || n.Otherwise == "" || len(n.Repos) == 0 {
			t.Errorf("incomplete: %+v", n)
		}
		for _, prefix := range n.Repos {
			if !strings.Contains(prefix, "/") || seen[n.Package+" "+prefix] {
				t.Errorf("%s: %q has no owner or is there twice", n.Package, prefix)
			}
			seen[n.Package+" "+prefix] = true
		}
	}
}
