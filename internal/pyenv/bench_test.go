package pyenv

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
)

func itoa(n int) string { return strconv.Itoa(n) }

// manyDists returns n distributions of a dozen files each.
func manyDists(n int) []fakeDist {
	dists := make([]fakeDist, n)
	for i := range dists {
		name := fmt.Sprintf("package_%04d", i)
		dists[i] = fakeDist{name, "1.0." + itoa(i), map[string]string{}}
		for j := range 12 {
			dists[i].files[fmt.Sprintf("%s/part%d/m%d.py", name, j%3, j)] = "x = 1\n"
		}
	}
	return dists
}

// BenchmarkInstalled reads the metadata of many distributions and reports how many times
// faster this is than pip list.
func BenchmarkInstalled(b *testing.B) {
	for _, n := range []int{20, 200, 1000} {
		b.Run(itoa(n), func(b *testing.B) {
			dir, _ := newGeneration(b, manyDists(n))
			for b.Loop() {
				if d, err := Installed(filepath.Join(dir, site)); err != nil || len(d) != n {
					b.Fatalf("%d, %v", len(d), err)
				}
			}
			each := b.Elapsed() / time.Duration(b.N)
			b.ReportMetric(pipList(b, dir).Seconds()/each.Seconds(), "x-pip-list")
		})
	}
}

// pipList returns the time that pip list takes for an environment.
func pipList(b *testing.B, dir string) time.Duration {
	b.Helper()
	python, pip := realPython(b)
	result, err := command.Run(context.Background(), command.Command{
		Program: python, Args: []string{filepath.Join(pip, "pip"), "list", "--format=json", "--path", filepath.Join(dir, site)},
		Env: []string{"PIP_CONFIG_FILE=/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK=1"},
	})
	if err != nil {
		b.Fatal(err)
	}
	return result.Elapsed
}

// BenchmarkCheckFast measures the cost of an unchanged environment in a plan: 400
// directories and 1,200 files at 100 distributions, and ten times that.
func BenchmarkCheckFast(b *testing.B) {
	for _, n := range []int{100, 1000} {
		dir, seal := newGeneration(b, manyDists(n))
		check := func(b *testing.B) {
			for b.Loop() {
				if damage, err := CheckFast(dir, seal); err != nil || len(damage) != 0 {
					b.Fatal(damage, err)
				}
			}
		}
		b.Run("stamped/"+itoa(n), check)
		remove(b, filepath.Join(dir, "reconcile/stamps"))
		b.Run("unstamped/"+itoa(n), check)
	}
}

func BenchmarkReadSeal(b *testing.B) {
	dir, _ := newGeneration(b, manyDists(53))
	for b.Loop() {
		if _, err := ReadSeal(dir); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyDeep(b *testing.B) {
	dir, seal := newGeneration(b, manyDists(200))
	for b.Loop() {
		if damage := verify(b, dir, seal, true); len(damage) != 0 {
			b.Fatal(damage)
		}
	}
}
