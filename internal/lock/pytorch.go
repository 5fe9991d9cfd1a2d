package lock

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// pytorchPackages are the packages that PyTorch's own index has for each CUDA version
// (https://docs.pytorch.org/get-started/previous-versions/, and the installation of each project).
var pytorchPackages = []string{
	"fbgemm-gpu", "torch", "torch-tensorrt", "torchao", "torchaudio", "torchcodec", "torchrec", "torchtext", "torchvision", "xformers",
}

// pytorchBuild matches the names of builds of PyTorch, which are those of the folders of its own
// index.
var pytorchBuild = regexpOnce(`^(cpu|xpu|cu[0-9]{2,3}|rocm[0-9.]+)$`)

// A PyTorchIndex is the folder of PyTorch's own index with one build, such as "cpu" or "cu126".
type PyTorchIndex struct {
	Build    string
	Declared []Index // of the manifest
}

// declared returns the name of the index in the manifest, "" if it is not there.
func (x PyTorchIndex) declared() string {
	for _, index := range x.Declared {
		if strings.HasSuffix(strings.TrimSuffix(index.URL, "/"), "/"+x.Build) {
			return index.Name
		}
	}
	return ""
}

// name returns the name of the index in the manifest, or a new one.
func (x PyTorchIndex) name() string { return cmp.Or(x.declared(), "pytorch-"+x.Build) }

// entry returns the index in the form of the manifest.
func (x PyTorchIndex) entry() string {
	return fmt.Sprintf("{name: %s, url: https://HOST/whl/%s}", x.name(), x.Build)
}

// Declaration returns how to add the index to a manifest that does not have it, in one line.
func (x PyTorchIndex) Declaration() string {
	return "add " + x.entry() + " to `indexes`, " + PyTorchHost
}

// PyTorchHost states the value of HOST in a sentence.
const PyTorchHost = "with HOST as at https://pytorch.org/get-started/locally/"

// hostText states the value of HOST, a line of its own.
const hostText = "HOST is that of the command for pip at https://pytorch.org/get-started/locally/, or your mirror"

// A PyTorchItem is a package to take from a PyTorchIndex.
type PyTorchItem struct {
	Name      string
	Specifier string   // PEP 440
	Platforms []string // nil for all
	Public    bool     // from the default index instead
}

// Lines returns the lines of a manifest that take packages from the index: one of `indexes`,
// unless the manifest has it, and one of `packages` for each item.
func (x PyTorchIndex) Lines(items ...PyTorchItem) string {
	name := x.name()
	var lines []string
	switch {
	case x.declared() != "":
	case len(x.Declared) > 0:
		lines = append(lines, "  - "+x.entry()+" # in `indexes`")
	default:
		lines = append(lines, "  indexes: [public, "+x.entry()+"]")
	}
	for _, item := range items {
		index := name
		if item.Public {
			index = ""
		}
		lines = append(lines, "  - "+item.text(index))
	}
	if x.declared() == "" {
		lines = append(lines, hostText)
	}
	return strings.Join(lines, "\n")
}

// Sentence returns the content of Lines in one line.
func (x PyTorchIndex) Sentence(items ...PyTorchItem) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = item.text(x.name())
	}
	packages := "write " + strings.Join(texts, " and ") + " in `packages`"
	if x.declared() != "" {
		return packages
	}
	return x.Declaration() + ", and " + packages
}

// text returns the item in the form of the manifest. index is "" for the default one.
func (i PyTorchItem) text(index string) string {
	text := "{name: " + i.Name
	if version := (Requirement{Specifier: i.Specifier}).Pin(); version != "" {
		text += ", version: " + version
	} else if i.Specifier != "" {
		text += ", version: " + quote(i.Specifier)
	}
	if index != "" {
		text += ", index: " + index
	}
	if i.Platforms != nil {
		text += ", platforms: [" + strings.Join(i.Platforms, ", ") + "]"
	}
	return text + "}"
}

// localVersion returns why a pinned version with a local part, such as 2.9.1+cu126, is not in an
// index, and what to do: the public index has no versions with a local part.
func (r *resolver) localVersion(ctx context.Context, p Requirement, offers []Offer, platform string) (found, hint string) {
	version, build, _ := strings.Cut(p.Pin(), "+")
	place := indexName(p.Index)
	have := func(place string, offers []Offer) bool {
		others := localVersions(offers, version)
		if len(others) > 0 {
			found = fmt.Sprintf("%s has %s %s", place, p.Name, strings.Join(others, ", "))
			hint = fmt.Sprintf("request one of them: %s==%s", p.Name, others[len(others)-1])
		}
		return len(others) > 0
	}
	if have(place, offers) {
		return found, hint
	}
	for _, x := range r.Indexes {
		if p.Index == "" && x.Searched && have(indexName(x.Name), r.offers(ctx, x.Name, p.Name)) {
			return found, hint
		}
	}
	switch {
	case p.Index != "":
		return fmt.Sprintf("%s has no version of %s with +%s", place, p.Name, build), "change the version or the `index` of " + p.Name
	case !pytorchBuild().MatchString(build) || !slices.Contains(pytorchPackages, pep.Normalize(p.Name)):
		return fmt.Sprintf("the public index has no versions with a local part; those with +%s are published elsewhere", build),
			fmt.Sprintf("write the address of the wheel: %q, or request %s==%s", p.Name+" @ https://HOST/FILE.whl", p.Name, version)
	}
	found = fmt.Sprintf("the public index has no versions with a local part; those with +%s are in PyTorch's own index", build)
	var ways []string
	if pep.Normalize(p.Name) == "torch" {
		public := r.publicBuild(version)
		cuda, isCUDA := catalog.BuildCUDA(build)
		if public != "" {
			found += fmt.Sprintf("\ntorch %s of the public index is built for %s", version, buildName(public))
		}
		if known := pytorchCUDA(version, platform); isCUDA && len(known) > 0 && !slices.Contains(known, cuda) {
			found += fmt.Sprintf("\ntorch %s has no build for CUDA %s on %s, only for %s", version, cuda, platform, strings.Join(known, ", "))
			build = catalog.BuildName(nearestCUDA(known, cuda))
		}
		if public == build || isCUDA && public != "" && public != "cpu" {
			ways = append(ways, fmt.Sprintf("request torch==%s, for %s", version, buildName(public)))
		}
		if public == build {
			return found, ways[0]
		}
	}
	if strings.HasSuffix(p.Pos.File, ".txt") || strings.HasSuffix(p.Pos.File, ".in") {
		text := fmt.Sprintf("for +%s add to %s: --extra-index-url https://HOST/whl/%s\n%s", build, p.Pos.File, build, hostText)
		return found, strings.Join(append(ways, text), "\nor, ")
	}
	text := fmt.Sprintf("take the build %s from PyTorch's own index, with these lines in the manifest:\n", build)
	ways = append(ways, text+PyTorchIndex{build, r.Indexes}.Lines(r.pytorchItems(p, build)...))
	return found, strings.Join(ways, "\nor ")
}

// pytorchItems returns the items of the manifest for a build: the package, and those that are
// released with it and requested with the same local part. Builds for GPUs are for Linux only.
func (r *resolver) pytorchItems(p Requirement, build string) (items []PyTorchItem) {
	_, requested, _ := strings.Cut(p.Pin(), "+")
	linux := slices.DeleteFunc(slices.Sorted(slices.Values(r.Platforms)), func(s string) bool { return !strings.HasPrefix(s, "linux") })
	rest := slices.DeleteFunc(slices.Sorted(slices.Values(r.Platforms)), func(s string) bool { return strings.HasPrefix(s, "linux") })
	for _, q := range r.Packages {
		version, local, _ := strings.Cut(q.Pin(), "+")
		if q.Name != p.Name && (local != requested || !slices.Contains(pytorchPackages, pep.Normalize(q.Name))) {
			continue
		}
		switch {
		case build == "cpu": // the folder has releases for macOS, without a local part
			items = append(items, PyTorchItem{q.Name, "==" + version, nil, false})
		case len(rest) == 0:
			items = append(items, PyTorchItem{q.Name, "==" + version + "+" + build, nil, false})
		default:
			items = append(items, PyTorchItem{q.Name, "==" + version + "+" + build, linux, false}, PyTorchItem{q.Name, "==" + version, rest, true})
		}
	}
	return items
}

// publicBuild returns the build of a release of torch on the public index, on all Linux platforms
// of the lock: "cu128", "cpu"; "" if they differ or it is unknown.
func (r *resolver) publicBuild(version string) string {
	build := ""
	for _, platform := range r.Platforms {
		if !strings.HasPrefix(platform, "linux") {
			continue
		}
		b, ok := publicTorch(version, platform)
		name := "cpu"
		if b.CUDA != "" {
			name = catalog.BuildName(b.CUDA)
		}
		if !ok || build != "" && name != build {
			return ""
		}
		build = name
	}
	return build
}

// CPUTorch returns the version of torch among packages of a Linux platform, if it is a build for the
// CPU, else "". A build that is not in the catalog is unknown.
func CPUTorch(dists []Dist, platform string) string {
	i := slices.IndexFunc(dists, func(d Dist) bool { return d.Name == "torch" })
	if i < 0 || !strings.HasPrefix(platform, "linux") {
		return ""
	}
	d := dists[i]
	if _, local, ok := strings.Cut(d.Version, "+"); ok {
		if local == "cpu" {
			return d.Version
		}
		return ""
	}
	if b, known := publicTorch(d.Version, platform); known && b.CUDA == "" && d.Index == "" {
		return d.Version
	}
	return ""
}

// CUDATorch returns the first release of torch, not before version, that the public index has for
// CUDA on a platform, and the build of this version in PyTorch's own index for the newest CUDA, such
// as "cu130". Either is zero if there is none or if that is unknown.
func CUDATorch(version, platform string) (public catalog.TorchBuild, own string) {
	version, _, _ = strings.Cut(version, "+")
	for _, b := range catalog.TorchBuilds() {
		if b.Platform == platform && b.CUDA != "" && pep.CompareVersions(b.Torch, version) >= 0 {
			public = b
			break
		}
	}
	if list := pytorchCUDA(version, platform); len(list) > 0 {
		own = catalog.BuildName(list[len(list)-1])
	}
	return public, own
}

// publicTorch returns the build of a release of torch for a platform on the public index.
func publicTorch(version, platform string) (catalog.TorchBuild, bool) {
	for _, b := range catalog.TorchBuilds() {
		if b.Platform == platform && pep.SameVersion(b.Torch, version) {
			return b, true
		}
	}
	return catalog.TorchBuild{}, false
}

// buildName returns the name of a build in words.
func buildName(build string) string {
	if cuda, ok := catalog.BuildCUDA(build); ok {
		return "CUDA " + cuda
	}
	return "the CPU"
}

// pytorchCUDA returns the CUDA versions for which PyTorch's own index has a release of torch,
// ascending; none if that is unknown.
func pytorchCUDA(version, platform string) (list []string) {
	for _, b := range catalog.PyTorchBuilds() {
		if b.Platform == platform && b.Torch == pep.MajorMinor(version) {
			list = append(list, b.CUDA)
		}
	}
	return list
}

// nearestCUDA returns the newest of ascending versions that is not newer than cuda, else the oldest.
func nearestCUDA(list []string, cuda string) string {
	nearest := list[0]
	for _, c := range list {
		if order, ok := catalog.Compare(c, cuda); ok && order <= 0 {
			nearest = c
		}
	}
	return nearest
}

// localVersions returns the versions of a release that have a local part, ascending.
func localVersions(offers []Offer, release string) (list []string) {
	release, _ = pep.CanonicalVersion(release)
	for _, o := range offers {
		if public, _, ok := strings.Cut(o.Version, "+"); ok && public == release && !o.Yanked && !slices.Contains(list, o.Version) {
			list = append(list, o.Version)
		}
	}
	slices.SortFunc(list, pep.CompareVersions)
	return list
}

// IsCUDALibrary reports whether a package is one of the libraries that builds of torch for CUDA
// depend on, and those for the CPU do not. name is normalised.
func IsCUDALibrary(name string) bool {
	return cudaLibrary().MatchString(name)
}

// cudaLibrary matches the packages of NVIDIA that the metadata of torch 2.0 to 2.15 require, and
// the compiler for GPUs.
var cudaLibrary = regexpOnce(`^(triton|cuda-(bindings|pathfinder|toolkit)|nvidia-(cublas|cuda|cudnn|cufft|cufile|curand|cusolver|cusparse|cusparselt|nccl|nvjitlink|nvshmem|nvtx)(-.*)?)$`)
