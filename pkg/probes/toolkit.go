package probes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// toolkit finds the CUDA toolkit in CUDA_HOME, in /usr/local/cuda, or beside the first nvcc
// on PATH, which is not run.
func (p *Prober) toolkit() (facts.Toolkit, error) {
	var none facts.Toolkit
	if p.system.os != "linux" {
		return none, nil
	}
	usual := p.sys("/usr/local/cuda")
	homes := []string{p.dirVariable("CUDA_HOME", usual), usual}
	nvcc := ""
	for _, dir := range p.pathDirs() {
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, "nvcc")); err == nil && !within(real, p.root) {
			nvcc = real
			homes = append(homes, filepath.Dir(filepath.Dir(real)))
			break
		}
	}
	for _, home := range homes {
		if t, ok := p.toolkitIn(home); ok {
			return t, nil
		}
	}
	if nvcc != "" {
		return none, fmt.Errorf("no file beside %s contains its version", nvcc)
	}
	return none, nil
}

// toolkitIn reads the version of a toolkit in one directory.
func (p *Prober) toolkitIn(home string) (facts.Toolkit, bool) {
	for _, place := range []struct {
		name  string
		parse func([]byte) string
	}{
		{"version.json", parseToolkitJSON},
		{"version.txt", parseToolkitText},
		{"include/cuda.h", nil}, // in packages of distributions and conda
	} {
		name := filepath.Join(home, place.name)
		version := ""
		if place.parse == nil {
			version = searchFile(name, parseCUDAHeader)
		} else if b, err := readSmall(name); err == nil {
			version = place.parse(b)
		}
		if version != "" {
			return facts.Toolkit{Version: version, Source: strings.TrimPrefix(name, p.prefix)}, true
		}
	}
	return facts.Toolkit{}, false
}

// parseToolkitJSON reads the version.json of CUDA 11.1 and later.
func parseToolkitJSON(b []byte) string {
	var doc struct {
		CUDA struct {
			Version string `json:"version"`
		} `json:"cuda"`
	}
	if json.Unmarshal(b, &doc) != nil {
		return ""
	}
	return firstTwo(doc.CUDA.Version)
}

// parseToolkitText reads the version.txt of older versions: "CUDA Version 10.2.89".
func parseToolkitText(b []byte) string {
	_, after, _ := bytes.Cut(b, []byte("CUDA Version "))
	return firstTwo(string(after))
}

// parseCUDAHeader finds "#define CUDA_VERSION 12010".
func parseCUDAHeader(b []byte) string {
	_, after, _ := bytes.Cut(b, []byte("#define CUDA_VERSION "))
	n, err := strconv.Atoi(leadingVersion(bytes.TrimLeft(after[:min(len(after), 32)], " ")))
	if err != nil || n < 1000 || n > 999_999 {
		return ""
	}
	return fmt.Sprintf("%d.%d", n/1000, n%1000/10)
}

// firstTwo returns the first two numbers of a version, or "": "12.1" for "12.1.105".
func firstTwo(v string) string {
	parts := strings.Split(leadingVersion([]byte(v)), ".")
	if len(parts) < 2 || slices.Contains(parts[:2], "") {
		return ""
	}
	return parts[0] + "." + parts[1]
}
