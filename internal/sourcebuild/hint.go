package sourcebuild

import (
	"fmt"
	"strings"
)

// hintOf returns the remedy for a failure of the build of a package, by the end of its output; ""
// if none is known.
func hintOf(name, output string) string {
	contains := func(texts ...string) bool {
		for _, text := range texts {
			if strings.Contains(output, text) {
				return true
			}
		}
		return false
	}
	switch {
	case contains("No space left on device", "Disk quota exceeded"):
		return "the disk of the store is full: `reconcile store` prints its size, `reconcile gc` frees generations that are not needed"
	case contains("No module named 'torch'", "No module named torch"):
		return fmt.Sprintf("its build imports torch: write `build: [{name: %s, with: [torch]}]`, and run `reconcile lock`", name)
	case contains("CUDA_HOME", "nvcc was not found", "nvcc not found", "No such file or directory: '/usr/local/cuda"):
		return "its build needs the CUDA toolkit with nvcc, which the driver does not contain: install the version of torch's CUDA in /usr/local/cuda, or use a wheel of " + name
	case contains("No module named 'distutils'", "No module named 'imp'", "has no attribute 'ImpImporter'"):
		return "its build uses a module that later Python versions do not have: use an earlier `python`, or another version of " + name
	case contains("command 'gcc' failed: No such file", "unable to execute 'gcc'", "error: command 'cc' failed", "command 'x86_64-linux-gnu-gcc' failed: No such file", "No such file or directory: 'gcc'", "No such file or directory: 'cc'"):
		return "its build needs a C compiler: install gcc or clang of the system"
	case contains("Python.h: No such file"):
		return "its build needs the header files of Python: use an interpreter that reconcile fetches, or install python3-dev of the system"
	case contains("can't find Rust compiler", "Cargo, the Rust package manager, is not installed", "cargo metadata", "error: failed to download from `https://index.crates.io"):
		return "its build needs Rust and crates of the network, which builds do not have: use a wheel of " + name
	case contains("Temporary failure in name resolution", "Name or service not known", "Network is unreachable", "http://127.0.0.1:9"):
		return "its build downloads files, and builds have no network: use a wheel of " + name + ", as `./wheels/FILE.whl` or in RECONCILE_FIND_LINKS"
	case contains("No module named '"):
		_, rest, _ := strings.Cut(output, "No module named '")
		module, _, _ := strings.Cut(rest, "'")
		if module = strings.SplitN(module, ".", 2)[0]; module != "" && len(module) < 60 && !strings.ContainsAny(module, "`\n ") {
			return fmt.Sprintf("its build imports %s, which it does not declare: write `build: [{name: %s, with: [%s]}]` if that is the name of a package", module, name, strings.ReplaceAll(module, "_", "-"))
		}
	}
	return ""
}
