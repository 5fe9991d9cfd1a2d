//go:build linux && cgo

package probes

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/dl"
	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// HasNVML reports whether this build can be a Prober's Helper.
const HasNVML = true

// RunHelper is the helper: if args are those of one, it asks NVML, prints a facts.Nvidia
// as JSON and returns true and the exit code. A main function calls it first.
//
// It runs code of the driver, which may do anything to this process: there is
// nothing in it that anybody would miss.
func RunHelper(args []string) (code int, ok bool) {
	if len(args) != 1 || args[0] != helperWord {
		return 0, false
	}
	out, err := ownStdout()
	if err == nil {
		err = json.NewEncoder(out).Encode(readNVML())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// ownStdout keeps standard output for us, and sends to standard error whatever a
// library prints to it.
func ownStdout() (*os.File, error) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup3(2, 1, 0); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "stdout"), nil
}

// library is NVML once it is loaded. The binding calls functions by name, and one
// that the library does not have ends the process: has is asked before each that is
// younger than the oldest driver one meets.
type library struct {
	nvml.Interface
	loaded *dl.DynamicLibrary
}

func (l library) has(names ...string) bool {
	for _, n := range names {
		if l.loaded.Lookup(n) == nil {
			return true
		}
	}
	return false
}

// openNVML loads the library: by name, as the loader finds it, else from where
// drivers put it.
func openNVML() (library, error) {
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	names := []string{libraryName}
	for _, dir := range append(driverDirs, "/usr/lib/"+arch+"-linux-gnu") {
		names = append(names, dir+"/"+libraryName)
	}
	var first error
	for _, name := range names {
		// Symbols are looked for in all libraries, since the binding is linked
		// against none; lazily, since no library has all of them.
		loaded := dl.New(name, dl.RTLD_LAZY|dl.RTLD_GLOBAL)
		err := loaded.Open()
		if err == nil {
			return library{nvml.New(nvml.WithLibraryPath(name)), loaded}, nil
		}
		if first == nil || exists(name) { // one that is there and does not load says more
			first = err
		}
	}
	return library{}, first
}

// readNVML asks the library for all that we want to know.
func readNVML() facts.Nvidia {
	n := facts.Nvidia{State: facts.DriverBroken, Source: sourceNVML}
	l, err := openNVML()
	if err != nil {
		n.Code, n.Reason = facts.NVMLNoLibrary, err.Error()
		return n
	}
	n.Driver = loadedVersion()
	for _, name := range []string{"nvmlInit_v2", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2"} {
		if !l.has(name) {
			n.Code, n.Reason = int(nvml.ERROR_FUNCTION_NOT_FOUND), libraryName+" has no function "+name
			return n
		}
	}
	if r := l.Init(); r != nvml.SUCCESS { // nothing else may be called now
		n.Code, n.Reason = int(r), nvmlWord(r)
		return n
	}
	if l.has("nvmlSystemGetDriverVersion") {
		if v, r := l.SystemGetDriverVersion(); r == nvml.SUCCESS {
			n.Driver = v
		}
	}
	n.CUDA, n.CUDAReason, n.NoLibcuda = l.cuda()
	count, r := l.DeviceGetCount()
	if r != nvml.SUCCESS {
		n.Code, n.Reason = int(r), nvmlWord(r)
		return n
	}
	n.State = facts.DriverOK
	for i := range count {
		n.Devices = append(n.Devices, l.device(i))
	}
	return n
}

func nvmlWord(r nvml.Return) string {
	if w, ok := nvmlWords[int(r)]; ok {
		return w
	}
	return fmt.Sprintf("error %d of NVML", int(r))
}

// loadedVersion is the version in the name of the file that was loaded, which is
// known even if the library then refuses to work with another kernel module.
func loadedVersion() string {
	maps, _ := os.ReadFile("/proc/self/maps")
	_, after, _ := strings.Cut(string(maps), "/"+strings.TrimSuffix(libraryName, "1"))
	if v := leadingVersion([]byte(after)); strings.Contains(v, ".") {
		return v
	}
	return ""
}

// cuda returns the newest CUDA of the driver, or why that is not known, and whether
// it is because there is no libcuda.
func (l library) cuda() (version, reason string, noLib bool) {
	var v int
	var r nvml.Return
	switch {
	case l.has("nvmlSystemGetCudaDriverVersion_v2"): // fails without libcuda
		v, r = l.SystemGetCudaDriverVersion_v2()
	case l.has("nvmlSystemGetCudaDriverVersion"):
		v, r = l.SystemGetCudaDriverVersion()
	default:
		return "", "this driver is too old to say it", false
	}
	switch {
	case r == nvml.ERROR_LIBRARY_NOT_FOUND:
		return "", noLibcuda, true
	case r != nvml.SUCCESS:
		return "", nvmlWord(r), false
	case v < 1000:
		return "", fmt.Sprintf("the driver says %d", v), false
	}
	return fmt.Sprintf("%d.%d", v/1000, v%1000/10), "", false
}

// device asks for one GPU. What a GPU does not know stays empty; one that is gone
// says so.
func (l library) device(index int) facts.Device {
	d := facts.Device{Index: index, Processes: -1}
	h, r := l.DeviceGetHandleByIndex(index)
	if r != nvml.SUCCESS {
		d.Problem, d.Code = nvmlWord(r), int(r)
		return d
	}
	// A question that fails says nothing of the others: drivers answer "Unknown Error"
	// to one of them, such as that for the processes, of a GPU that computes. Two
	// answers are about the GPU itself, whatever was asked.
	note := func(r nvml.Return) bool {
		if r == nvml.ERROR_GPU_IS_LOST || r == nvml.ERROR_RESET_REQUIRED {
			d.Problem, d.Code = nvmlWord(r), int(r)
		}
		return r == nvml.SUCCESS
	}
	if l.has("nvmlDeviceGetName") {
		if name, r := h.GetName(); note(r) {
			d.Name = name
		}
	}
	if l.has("nvmlDeviceGetUUID") {
		if uuid, r := h.GetUUID(); note(r) {
			d.UUID = uuid
		}
	}
	if l.has("nvmlDeviceGetPciInfo_v3") {
		if pci, r := h.GetPciInfo(); note(r) {
			d.Bus = busID(cString(pci.BusId[:]))
		}
	}
	if l.has("nvmlDeviceGetCudaComputeCapability") {
		if major, minor, r := h.GetCudaComputeCapability(); note(r) {
			d.Compute = fmt.Sprintf("%d.%d", major, minor)
		}
	}
	d.Memory, d.Used, r = l.memory(h)
	note(r)
	if l.has("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses") {
		if list, r := h.GetComputeRunningProcesses(); note(r) {
			d.Processes = len(list)
		}
	}
	if l.has("nvmlDeviceGetMigMode") {
		if current, _, r := h.GetMigMode(); note(r) {
			d.MIG = migDisabled
			if current == nvml.DEVICE_MIG_ENABLE {
				d.MIG, d.Slices = migEnabled, l.slices(h)
			}
		}
	}
	return d
}

// memory returns bytes, 0 where the GPU does not tell: an integrated one has none
// of its own, and of one that is cut into slices only some users may know.
func (l library) memory(h nvml.Device) (total, used int64, r nvml.Return) {
	r = nvml.ERROR_FUNCTION_NOT_FOUND
	if l.has("nvmlDeviceGetMemoryInfo_v2") { // does not count as used what the driver reserves
		var m nvml.Memory_v2
		if m, r = h.GetMemoryInfo_v2(); r == nvml.SUCCESS {
			return clamp(m.Total), clamp(m.Used), r
		}
	}
	switch r {
	case nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_ARGUMENT_VERSION_MISMATCH:
	default:
		return 0, 0, r
	}
	if l.has("nvmlDeviceGetMemoryInfo") {
		var m nvml.Memory
		if m, r = h.GetMemoryInfo(); r == nvml.SUCCESS {
			return clamp(m.Total), clamp(m.Used), r
		}
	}
	return 0, 0, r
}

// clamp returns 0 for sizes that nothing has.
func clamp(n uint64) int64 {
	if n > 1<<50 {
		return 0
	}
	return int64(n)
}

// maxSlices is more than any GPU can be cut into.
const maxSlices = 64

// slices asks for the MIG devices of a GPU.
func (l library) slices(h nvml.Device) []facts.Slice {
	if !l.has("nvmlDeviceGetMaxMigDeviceCount") || !l.has("nvmlDeviceGetMigDeviceHandleByIndex") {
		return nil
	}
	count, r := h.GetMaxMigDeviceCount()
	if r != nvml.SUCCESS {
		return nil
	}
	var found []facts.Slice
	for i := range min(count, maxSlices) {
		if mig, r := h.GetMigDeviceHandleByIndex(i); r == nvml.SUCCESS { // there are gaps
			found = append(found, l.slice(mig))
		}
	}
	return found
}

func (l library) slice(h nvml.Device) facts.Slice {
	var s facts.Slice
	if name, r := h.GetName(); r == nvml.SUCCESS { // "NVIDIA H100 80GB HBM3 MIG 3g.40gb"
		if _, profile, ok := strings.Cut(name, "MIG "); ok {
			s.Name = profile
		}
	}
	if uuid, r := h.GetUUID(); r == nvml.SUCCESS {
		s.UUID = uuid
	}
	s.Memory, s.Used, _ = l.memory(h)
	if (s.Memory == 0 || s.Name == "") && l.has("nvmlDeviceGetAttributes_v2") {
		if a, r := h.GetAttributes(); r == nvml.SUCCESS {
			if s.Memory == 0 {
				s.Memory = clamp(a.MemorySizeMB << 20)
			}
			if s.Name == "" {
				s.Name = fmt.Sprintf("%dg.%dgb", a.GpuInstanceSliceCount, (a.MemorySizeMB+512)>>10)
			}
		}
	}
	if s.Memory == 0 {
		s.Memory = nominalMemory(s.Name)
	}
	return s
}

// cString is a C string in a field, which may lack its end.
func cString(b []uint8) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
