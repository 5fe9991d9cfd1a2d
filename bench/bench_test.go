// Package bench measures processes in pairs: reconcile and a bare program that does the
// minimum for the same result, alternating on the same machine. The result is the ratio,
// because milliseconds depend on the machine.
//
//	go test -run '^$' -bench . -benchtime 20x ./bench
package bench

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A program is run repeatedly.
type program struct {
	words []string
	dir   string
	reset func() // prepares each run; may be nil
}

// once runs the program and returns its duration and its peak memory in MiB.
func (p program) once(b *testing.B) (wall time.Duration, peak float64) {
	b.Helper()
	if p.reset != nil {
		p.reset()
	}
	cmd := exec.Command(p.words[0], p.words[1:]...)
	cmd.Dir = p.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	wall = time.Since(start)
	if err != nil {
		b.Fatalf("%s: %v\n%s", strings.Join(p.words, " "), err, out.String())
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return wall, 0
	}
	unit := 1024.0 // Linux counts KiB
	if runtime.GOOS == "darwin" {
		unit = 1024 * 1024 // macOS counts bytes
	}
	return wall, float64(usage.Maxrss) / unit
}

// pair runs ours and bare alternately b.N times and reports medians and their ratio.
// It returns the median of ours.
func pair(b *testing.B, ours, bare program) time.Duration {
	b.Helper()
	ours.once(b)
	bare.once(b)
	var a, z, ratios, memory, floor []float64
	for b.Loop() {
		wallOurs, peakOurs := ours.once(b)
		wallBare, peakBare := bare.once(b)
		a, z = append(a, ms(wallOurs)), append(z, ms(wallBare))
		ratios = append(ratios, ms(wallOurs)/ms(wallBare))
		memory, floor = append(memory, peakOurs), append(floor, peakBare)
	}
	b.ReportMetric(median(a), "ms")
	b.ReportMetric(median(z), "ms-bare")
	b.ReportMetric(median(ratios), "x-bare")
	b.ReportMetric(median(memory), "MiB")
	b.ReportMetric(median(floor), "MiB-bare")
	return time.Duration(median(a) * 1e6)
}

// alone runs a program b.N times and reports the median.
func alone(b *testing.B, p program) {
	b.Helper()
	p.once(b)
	var a, memory []float64
	for b.Loop() {
		wall, peak := p.once(b)
		a, memory = append(a, ms(wall)), append(memory, peak)
	}
	b.ReportMetric(median(a), "ms")
	b.ReportMetric(median(memory), "MiB")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// build compiles a command of this module like `make build`: without cgo, so without the
// time of the dynamic loader.
func build(b testing.TB, pkg string) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return file
}

const module = "github.com/reconcile-ml/reconcile"

func BenchmarkVersion(b *testing.B) {
	ours, empty := build(b, module+"/cmd/reconcile"), build(b, module+"/bench/empty")
	pair(b, program{words: []string{ours, "version"}}, program{words: []string{empty, "version"}})
}

// world writes a manifest of n resources, one in ten a directory, into a new
// folder.
func world(b testing.TB, n int) string {
	b.Helper()
	dir := b.TempDir()
	b.Setenv("RECONCILE_STORE", filepath.Join(b.TempDir(), "store"))
	var m strings.Builder
	m.WriteString("version: 1\nproject: bench\ndirectories:\n")
	for i := range max(1, n/10) {
		fmt.Fprintf(&m, "  d%d: {path: d/%03d/%d, purpose: \"bench\"}\n", i, i/100, i)
	}
	m.WriteString("files:\n")
	for i := range n - max(1, n/10) {
		fmt.Fprintf(&m, "  - {path: d/%03d/%d/f%d, content: \"file %d of the benchmark\\n\"}\n", min(i/9, max(1, n/10)-1)/100, min(i/9, max(1, n/10)-1), i, i)
	}
	check(b, os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(m.String()), 0o644))
	return dir
}

func BenchmarkPlanNothingToDo(b *testing.B) {
	ours, floor, bare := build(b, module+"/cmd/reconcile"), build(b, module+"/bench/floor"), build(b, module+"/bench/bare")
	for _, n := range []int{16, 1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := world(b, n)
			program{words: []string{bare}, dir: dir}.once(b)
			took := pair(b, program{words: []string{ours, "plan"}, dir: dir}, program{words: []string{floor}, dir: dir})
			b.ReportMetric(float64(took.Nanoseconds())/float64(n), "ns/resource")
		})
	}
}

func BenchmarkFirstApply(b *testing.B) {
	ours, bare := build(b, module+"/cmd/reconcile"), build(b, module+"/bench/bare")
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := world(b, n)
			aside := 0
			reset := func() { // set old trees aside: deleting them makes ext4 slow for a while
				aside++
				for _, name := range []string{"d", ".reconcile"} {
					_ = os.Rename(filepath.Join(dir, name), filepath.Join(b.TempDir(), fmt.Sprintf("%s-%d", name, aside)))
				}
			}
			pair(b, program{[]string{ours, "apply", "-y"}, dir, reset}, program{[]string{bare}, dir, reset})
		})
	}
}

// BenchmarkPlanProject measures the project's own manifest with its environment
// installed; run `make apply` first.
func BenchmarkPlanProject(b *testing.B) {
	ours, floor := build(b, module+"/cmd/reconcile"), build(b, module+"/bench/floor")
	root := settledProject(b, ours)
	pair(b, program{words: []string{ours, "plan"}, dir: root}, program{words: []string{floor, directories(b, root)}, dir: root})
}

// directories lists the directories of the active environment, which a plan also reads.
func directories(b *testing.B, root string) string {
	b.Helper()
	generation, err := filepath.EvalSymlinks(filepath.Join(root, ".venv", "generation"))
	check(b, err)
	var list strings.Builder
	err = filepath.WalkDir(generation, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() != "__pycache__" {
			fmt.Fprintln(&list, path)
		}
		return err
	})
	check(b, err)
	file := filepath.Join(b.TempDir(), "directories")
	check(b, os.WriteFile(file, []byte(list.String()), 0o644))
	return file
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
