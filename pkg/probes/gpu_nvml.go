//go:build linux && cgo

package probes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/dl"
	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// HasNVML reports whether this build can be a Prober's Helper.
const HasNVML = true

// RunHelper queries NVML if args are those of a helper. It then prints a facts.Nvidia as
// JSON and returns the exit code and true. A main function calls it first. It runs in a
// process of its own because the driver's library can crash or hang.
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

// ownStdout returns standard output and redirects the output of libraries to standard
// error.
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

// library is the loaded NVML. Calling a function that the library does not have ends the
// process, so that functions which old drivers lack are checked with has.
type library struct {
	nvml.Interface
	loaded *dl.DynamicLibrary
}

// has reports whether the library has one of the functions.
func (l library) has(names ...string) bool {
	for _, n := range names {
		if l.loaded.Lookup(n) == nil {
			return true
		}
	}
	return false
}

// openNVML loads the library by name, or from the folders in which drivers install it.
func openNVML() (library, error) {
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	names := []string{libraryName}
	for _, dir := range append(driverDirs(), "/usr/lib/"+arch+"-linux-gnu") {
		names = append(names, dir+"/"+libraryName)
	}
	var first error
	for _, name := range names {
		// RTLD_GLOBAL because the binding is not linked against the library, RTLD_LAZY
		// because no version has all functions.
		loaded := dl.New(name, dl.RTLD_LAZY|dl.RTLD_GLOBAL)
		err := loaded.Open()
		if err == nil {
			return library{nvml.New(nvml.WithLibraryPath(name)), loaded}, nil
		}
		if first == nil || exists(name) { // the error of an existing library is more useful
			first = err
		}
	}
	return library{}, first
}

// readNVML queries the library.
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
	if r := l.Init(); r != nvml.SUCCESS { // no other function may be called
		n.Code, n.Reason = int(r), nvmlText(r)
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
		n.Code, n.Reason = int(r), nvmlText(r)
		return n
	}
	n.State = facts.DriverOK
	for i := range count {
		n.Devices = append(n.Devices, l.device(i))
	}
	return n
}

func nvmlText(r nvml.Return) string {
	return cmp.Or(nvmlErrors()[int(r)], fmt.Sprintf("NVML error %d", int(r)))
}

// loadedVersion returns the version in the file name of the loaded library, which is known
// even if the library does not match the kernel module.
func loadedVersion() string {
	maps, _ := rawfile.ReadFile("/proc/self/maps", 4<<20, 0)
	_, after, _ := strings.Cut(string(maps), "/"+strings.TrimSuffix(libraryName, "1"))
	if v := leadingVersion([]byte(after)); strings.Contains(v, ".") {
		return v
	}
	return ""
}

// cuda returns the newest CUDA that the driver supports, or the reason why it is not known.
// noLib reports whether libcuda is missing.
func (l library) cuda() (version, reason string, noLib bool) {
	var v int
	var r nvml.Return
	switch {
	case l.has("nvmlSystemGetCudaDriverVersion_v2"): // fails without libcuda
		v, r = l.SystemGetCudaDriverVersion_v2()
	case l.has("nvmlSystemGetCudaDriverVersion"):
		v, r = l.SystemGetCudaDriverVersion()
	default:
		return "", "this driver is too old to report it", false
	}
	switch {
	case r == nvml.ERROR_LIBRARY_NOT_FOUND:
		return "", noLibcuda, true
	case r != nvml.SUCCESS:
		return "", nvmlText(r), false
	case v < 1000:
		return "", fmt.Sprintf("the driver reported %d", v), false
	}
	return fmt.Sprintf("%d.%d", v/1000, v%1000/10), "", false
}

// device queries one GPU. Values that it does not report stay empty.
func (l library) device(index int) facts.Device {
	d := facts.Device{Index: index, Processes: -1}
	h, r := l.DeviceGetHandleByIndex(index)
	if r != nvml.SUCCESS {
		d.Problem, d.Code = nvmlText(r), int(r)
		return d
	}
	// Most errors concern one query only: drivers return "Unknown Error" for the processes of
	// a working GPU. These two concern the GPU itself.
	note := func(r nvml.Return) bool {
		if r == nvml.ERROR_GPU_IS_LOST || r == nvml.ERROR_RESET_REQUIRED {
			d.Problem, d.Code = nvmlText(r), int(r)
		}
		return r == nvml.SUCCESS
	}
	d.Name, _ = ask(l, note, h.GetName, "nvmlDeviceGetName")
	d.UUID, _ = ask(l, note, h.GetUUID, "nvmlDeviceGetUUID")
	if pci, ok := ask(l, note, h.GetPciInfo, "nvmlDeviceGetPciInfo_v3"); ok {
		d.Bus = busID(cString(pci.BusId[:]))
	}
	d.Compute, _ = ask(l, note, func() (string, nvml.Return) {
		major, minor, r := h.GetCudaComputeCapability()
		return fmt.Sprintf("%d.%d", major, minor), r
	}, "nvmlDeviceGetCudaComputeCapability")
	d.Memory, d.Used, r = l.memory(h)
	note(r)
	if list, ok := ask(l, note, h.GetComputeRunningProcesses,
		"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses"); ok {
		d.Processes = len(list)
	}
	mode, ok := ask(l, note, func() (int, nvml.Return) {
		current, _, r := h.GetMigMode()
		return current, r
	}, "nvmlDeviceGetMigMode")
	switch {
	case ok && mode == nvml.DEVICE_MIG_ENABLE:
		d.MIG, d.Slices = migEnabled, l.slices(h)
	case ok:
		d.MIG = migDisabled
	}
	return d
}

// ask calls get if the library has one of the functions, and returns its result if note
// accepts the return code.
func ask[T any](l library, note func(nvml.Return) bool, get func() (T, nvml.Return), functions ...string) (v T, ok bool) {
	if !l.has(functions...) {
		return v, false
	}
	got, r := get()
	if !note(r) {
		return v, false
	}
	return got, true
}

// memory returns bytes, or 0 if not reported: an integrated GPU has no memory of its own, and
// that of a GPU with MIG requires privileges.
func (l library) memory(h nvml.Device) (total, used int64, r nvml.Return) {
	r = nvml.ERROR_FUNCTION_NOT_FOUND
	if l.has("nvmlDeviceGetMemoryInfo_v2") { // does not count the memory that the driver reserves as used
		var m nvml.Memory_v2
		if m, r = h.GetMemoryInfo_v2(); r == nvml.SUCCESS {
			return clamp(m.Total), clamp(m.Used), r
		}
	}
	old := r == nvml.ERROR_FUNCTION_NOT_FOUND || r == nvml.ERROR_NOT_SUPPORTED || r == nvml.ERROR_ARGUMENT_VERSION_MISMATCH
	if old && l.has("nvmlDeviceGetMemoryInfo") {
		var m nvml.Memory
		if m, r = h.GetMemoryInfo(); r == nvml.SUCCESS {
			return clamp(m.Total), clamp(m.Used), r
		}
	}
	return 0, 0, r
}

// clamp returns 0 for impossible sizes.
func clamp(n uint64) int64 {
	if n > 1<<50 {
		return 0
	}
	return int64(n)
}

// maxSlices is more than any GPU can have.
const maxSlices = 64

// slices queries the MIG devices of a GPU.
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
		if mig, r := h.GetMigDeviceHandleByIndex(i); r == nvml.SUCCESS { // indexes have gaps
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

// cString returns the C string in a field, which may lack its terminator.
func cString(b []uint8) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
