package scan

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/declared"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// onlyCUDA are packages that cannot be installed or imported without CUDA, by normalised name.
func onlyCUDA() []string {
	return []string{
		"apex", "auto-gptq", "autoawq", "causal-conv1d", "exllamav2", "flash-attn", "flash-attn-3", "flash-attn-4", "mamba-ssm",
		"sglang", "tensorrt", "tensorrt-llm", "transformer-engine", "unsloth", "vllm",
	}
}

// needsCUDA returns why requirements make no sense on a machine without an NVIDIA GPU, or a
// zero value.
func needsCUDA(set *declared.Set) sourced {
	builds := regexp.MustCompile(`(\+|/|-|_|^)cu(da)?-?[0-9]{2,4}\b`) // +cu121 of a version, /cu121 of an index, -cu12 of a name
	indexes := map[string]bool{}
	for _, x := range set.Indexes {
		if builds.MatchString(path.Base(strings.TrimSuffix(x.URL, "/"))) {
			indexes[x.Name] = x.Name != ""
		}
	}
	for i := range set.Requirements {
		r := &set.Requirements[i]
		name := pep.Normalize(r.Name)
		version := pep.Specifier(r.Clauses)
		if builds.MatchString(version) || indexes[r.Index] || slices.Contains(onlyCUDA(), name) || builds.MatchString(name) ||
			strings.HasPrefix(name, "cupy-cuda") || builds.MatchString(path.Base(r.URL)) {
			return sourced{by: r.Name + version + " needs CUDA", at: placeOf(r.Pos)}
		}
	}
	for _, c := range set.Conda {
		if c.Name == "cudatoolkit" || c.Name == "pytorch-cuda" || c.Name == "cuda" || strings.HasPrefix(c.Name, "cuda-") || strings.Contains(c.Build, "cuda") {
			text := c.Name
			if c.Build != "" {
				text = fmt.Sprintf("%s %s", c.Name, c.Build)
			}
			return sourced{by: text + " needs CUDA", at: placeOf(c.Pos)}
		}
	}
	for _, x := range set.Indexes {
		if x.Kind != declared.ExplicitIndex && builds.MatchString(path.Base(strings.TrimSuffix(x.URL, "/"))) {
			return sourced{by: "the index has builds for CUDA", at: placeOf(x.Pos)}
		}
	}
	return sourced{}
}

// isCUDAName reports whether a word of a file name, or the name of an extra or group, is one of
// the variants for NVIDIA GPUs, such as gpu or cu121.
func isCUDAName(word string) bool {
	rest, ok := strings.CutPrefix(word, "cu")
	return word == "gpu" || word == "nvidia" || word == "cuda" || strings.HasPrefix(word, "cuda") && strings.Trim(word[4:], "0123456789.") == "" ||
		ok && rest != "" && strings.Trim(rest, "0123456789") == ""
}

// isCPUName is isCUDAName for machines without a GPU.
func isCPUName(word string) bool {
	return slices.Contains([]string{"cpu", "mac", "macos", "darwin", "mps", "metal"}, word)
}
