// Generate updates torch.json and bitsandbytes.json of package catalog from the wheels on the
// public index:
//
//	go run ./internal/catalog/generate
//
// Of a new wheel it reads the list of files and single files, by range requests: some 10 MB of
// the 500 MB of a torch with CUDA. Entries of wheels that were read before are kept. Review the
// difference, and run the tests of catalog and of the kind compat.
//
//   - The CUDA of a torch is in torch/version.py. Its compute capabilities are the text that
//     torch.cuda.get_arch_list() returns, compiled into libtorch_python.so.
//   - The libraries of bitsandbytes are files of its wheel. A release that loads the nearest
//     library warns of it in cextension.py.
//
// With a copy of pci.ids of the PCI ID Project it updates gpus.json instead:
//
//	go run ./internal/catalog/generate -pci-ids /usr/share/misc/pci.ids
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// oldest are the first releases that are described.
var oldest = map[string]string{"torch": "2.1.0", "bitsandbytes": "0.41.1"}

func main() {
	log.SetFlags(0)
	index := flag.String("index", simpleindex.PublicIndex, "base `URL` of a package index with JSON pages")
	dir := flag.String("dir", filepath.Join("internal", "catalog"), "`directory` of the files")
	pciIDs := flag.String("pci-ids", "", "`file` pci.ids; update gpus.json alone")
	flag.Parse()
	if *pciIDs != "" {
		if err := updateGPUs(*pciIDs, *dir); err != nil {
			log.Fatal(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := errors.Join(update(ctx, *index, *dir, "torch", torchBuild), update(ctx, *index, *dir, "bitsandbytes", bitsandbytesBuild)); err != nil {
		log.Fatal(err)
	}
}

// updateGPUs rewrites gpus.json from a list of PCI IDs.
func updateGPUs(pciIDs, dir string) error {
	list, err := rawfile.ReadFile(pciIDs, 64<<20, 0)
	if err != nil {
		return err
	}
	text, err := gpuList(list)
	if err != nil {
		return fmt.Errorf("%s: %w", pciIDs, err)
	}
	return os.WriteFile(filepath.Join(dir, "gpus.json"), text, 0o644)
}

// update rewrites the file of a project with a build for each of its releases and platforms,
// one a line.
func update[B any](ctx context.Context, index, dir, project string, describe func(context.Context, release) (B, error)) error {
	releases, err := list(ctx, index, project)
	if err != nil {
		return err
	}
	lines := make([]string, len(releases))
	for i, r := range releases {
		b, err := describe(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.wheel.Filename, err)
		}
		line, err := json.Marshal(b)
		if err != nil {
			return err
		}
		lines[i] = "    " + string(line)
	}
	text := "{\n  \"format\": 1,\n  \"builds\": [\n" + strings.Join(lines, ",\n") + "\n  ]\n}\n"
	return os.WriteFile(filepath.Join(dir, project+".json"), []byte(text), 0o644)
}

// torchBuild describes a release of torch.
func torchBuild(ctx context.Context, r release) (catalog.TorchBuild, error) {
	b := catalog.TorchBuild{Torch: r.version, Platform: r.platform, Python: r.pythons, System: r.system, Source: r.source()}
	known := catalog.TorchBuilds()
	if i := slices.IndexFunc(known, func(k catalog.TorchBuild) bool { return k.Source == b.Source }); i >= 0 {
		b.CUDA, b.Compute, b.PTX = known[i].CUDA, known[i].Compute, known[i].PTX
		return b, nil
	}
	if !strings.HasPrefix(r.platform, "linux-") {
		return b, nil // builds for macOS have no CUDA
	}
	log.Printf("reading %s", r.wheel.Filename)
	archive, err := open(ctx, r.wheel)
	if err != nil {
		return b, err
	}
	version, err := fs.ReadFile(archive, "torch/version.py")
	if err != nil {
		return b, err
	}
	if m := regexp.MustCompile(`(?m)^cuda\b[^=]*= '([0-9.]+)'`).FindSubmatch(version); m != nil {
		b.CUDA = string(m[1])
	}
	if b.CUDA == "" {
		return b, nil
	}
	library, err := fs.ReadFile(archive, "torch/lib/libtorch_python.so")
	if err != nil {
		return b, err
	}
	b.Compute, b.PTX, err = architectures(library)
	return b, err
}

// architectures returns the compute capabilities in the text "sm_80 sm_90 compute_90" of a
// library, and whether it ends with PTX, which is named compute_.
func architectures(library []byte) (compute []string, ptx bool, err error) {
	text := regexp.MustCompile(`(sm_[0-9]+[af]?(?: (?:sm|compute)_[0-9]+[af]?)+)\x00`).FindSubmatch(library)
	if text == nil {
		return nil, false, errors.New("the library has no list of architectures")
	}
	for _, word := range strings.Fields(string(text[1])) {
		kind, number, _ := strings.Cut(word, "_")
		number = strings.TrimRight(number, "af")
		c := number[:len(number)-1] + "." + number[len(number)-1:]
		ptx = kind == "compute"
		if !slices.Contains(compute, c) {
			compute = append(compute, c)
		}
	}
	return compute, ptx, nil
}

// bitsandbytesBuild describes a release of bitsandbytes.
func bitsandbytesBuild(ctx context.Context, r release) (catalog.BitsandbytesBuild, error) {
	b := catalog.BitsandbytesBuild{Version: r.version, Platform: r.platform, System: r.system, Source: r.source()}
	known := catalog.BitsandbytesBuilds()
	if i := slices.IndexFunc(known, func(k catalog.BitsandbytesBuild) bool { return k.Source == b.Source }); i >= 0 {
		b.CUDA, b.Nearest = known[i].CUDA, known[i].Nearest
		return b, nil
	}
	log.Printf("reading %s", r.wheel.Filename)
	archive, err := open(ctx, r.wheel)
	if err != nil {
		return b, err
	}
	for _, f := range archive.File {
		if m := regexp.MustCompile(`^bitsandbytes/libbitsandbytes_cuda([0-9]{2})([0-9]+)\.so$`).FindStringSubmatch(f.Name); m != nil {
			b.CUDA = append(b.CUDA, m[1]+"."+m[2])
		}
	}
	slices.SortFunc(b.CUDA, func(x, y string) int { return pep.CompareVersions(x, y) })
	code, err := fs.ReadFile(archive, "bitsandbytes/cextension.py")
	b.Nearest = bytes.Contains(code, []byte("No prebuilt binary for "))
	return b, err
}
