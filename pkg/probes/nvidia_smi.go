package probes

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// smiFields lists the queried fields. Old versions do not have all of them.
func smiFields() []string {
	return []string{"index", "name", "uuid", "driver_version", "memory.total", "memory.used", "compute_cap", "mig.mode.current", "pci.bus_id"}
}

const sourceSMI = "nvidia-smi"

// findSMI returns nvidia-smi from PATH outside the project, or from the folders in which
// drivers install it, or "".
func (p *Prober) findSMI() string {
	dirs := p.pathDirs()
	for _, dir := range []string{"/usr/bin", "/usr/lib/wsl/lib", "/opt/bin", "/usr/local/nvidia/bin", "/run/current-system/sw/bin"} {
		dirs = append(dirs, p.sys(dir))
	}
	for _, dir := range dirs {
		name := filepath.Join(dir, "nvidia-smi")
		if real, ok := p.programAt(name); ok && !writableByOthers(real) {
			return name
		}
	}
	return ""
}

// askSMI runs nvidia-smi for the table of GPUs, and at the same time for its banner, which
// has the CUDA version. A result without State means that there was no answer in time.
func (p *Prober) askSMI(ctx context.Context, smi string) facts.Nvidia {
	var shown command.Result
	var running sync.WaitGroup
	running.Go(func() { shown, _ = p.driverCommand(ctx, smi) })
	n := p.askTable(ctx, smi)
	running.Wait()
	if n.State != facts.DriverOK {
		return n
	}
	b := parseBanner(shown.Stdout)
	if n.Driver == "" {
		n.Driver = b.driver
	}
	switch {
	case b.cuda != "":
		n.CUDA = b.cuda
	case b.noCUDA:
		n.CUDAReason, n.NoLibcuda = noLibcuda, true
	default:
		n.CUDAReason = "nvidia-smi did not report it"
	}
	if slices.ContainsFunc(n.Devices, func(d facts.Device) bool { return d.MIG == migEnabled }) {
		r, _ := p.driverCommand(ctx, smi, "-L")
		addSlices(n.Devices, parseList(r.Stdout), b.slices)
	}
	return n
}

const (
	migEnabled  = "enabled"
	migDisabled = "disabled"
)

// askTable queries the table of GPUs, and repeats the query without the fields that this
// nvidia-smi does not have.
func (p *Prober) askTable(ctx context.Context, smi string) facts.Nvidia {
	fields := smiFields()
	for {
		r, err := p.driverCommand(ctx, smi, "--query-gpu="+strings.Join(fields, ","), "--format=csv,noheader,nounits")
		unknown := unknownField(r.Stdout)
		if i := slices.Index(fields, unknown); i > 0 { // the index is required
			fields = slices.Delete(fields, i, i+1)
			continue
		}
		if err != nil && ctx.Err() != nil { // the rows may be incomplete
			return facts.Nvidia{}
		}
		return smiAnswer(fields, r, err)
	}
}

// unknownField returns the field that nvidia-smi rejected, or "".
func unknownField(b []byte) string {
	_, after, ok := bytes.Cut(b, []byte(`Field "`))
	field, rest, quoted := bytes.Cut(after, []byte(`"`))
	if !ok || !quoted || !bytes.HasPrefix(rest, []byte(" is not a valid field")) {
		return ""
	}
	return string(field)
}

// smiAnswer interprets the output and the exit of nvidia-smi. Rows are used regardless of its
// exit code, which a single lost GPU changes.
func smiAnswer(fields []string, r command.Result, err error) facts.Nvidia {
	n := facts.Nvidia{State: facts.DriverOK, Source: sourceSMI}
	n.Devices, n.Driver = parseSMI(r.Stdout, fields)
	text := slices.Concat(r.Stdout, []byte("\n"), r.Stderr)
	if len(n.Devices) > 0 || bytes.Contains(text, []byte("No devices were found")) {
		return n
	}
	n.State = facts.DriverBroken
	n.Reason, n.Code, n.Driver = parseError(text)
	if e, ok := errors.AsType[*command.Error](err); ok && n.Code == 0 && nvmlErrors()[e.ExitCode] != "" {
		n.Code = e.ExitCode // its exit codes are those of NVML
	}
	switch {
	case n.Reason != "":
	case err != nil:
		n.Reason, n.Code = "nvidia-smi: "+failure(r, err), 0
	default:
		n.Reason = "nvidia-smi printed no valid output"
	}
	return n
}

// parseError finds the error in the output of nvidia-smi.
func parseError(b []byte) (reason string, code int, driver string) {
	for line := range bytes.Lines(b) {
		text := printable(string(line))
		if words, ok := strings.CutPrefix(text, "Failed to initialize NVML: "); ok {
			reason = words
		}
		if v, ok := strings.CutPrefix(text, "NVML library version: "); ok {
			driver = leadingVersion([]byte(v))
		}
		switch {
		case reason != "":
		case strings.Contains(text, "couldn't communicate with the NVIDIA driver"):
			reason, code = text, facts.NVMLNotLoaded
		case strings.Contains(text, "couldn't find "+strings.TrimSuffix(libraryName, ".1")):
			reason, code = text, facts.NVMLNoLibrary
		}
	}
	if c := nvmlCode(reason); c != 0 {
		code = c
	}
	return reason, code, driver
}

// nvmlCode returns the return code of an NVML error text, or 0.
func nvmlCode(text string) int {
	for c, t := range nvmlErrors() {
		if t == text {
			return c
		}
	}
	return 0
}

// parseSMI reads the table of GPUs and the driver version. It ignores other lines.
func parseSMI(b []byte, fields []string) (devices []facts.Device, driver string) {
	for line := range bytes.Lines(b) {
		text := strings.ToValidUTF8(strings.TrimSpace(string(line)), "")
		if lost, ok := parseLost(text); ok {
			devices = append(devices, lost)
			continue
		}
		values := strings.Split(text, ", ")
		if extra := len(values) - len(fields); extra > 0 { // a name with a comma
			values = slices.Concat(values[:1], []string{strings.Join(values[1:2+extra], ", ")}, values[2+extra:])
		}
		if len(values) != len(fields) {
			continue
		}
		row := map[string]string{}
		for i, f := range fields {
			row[f] = smiValue(values[i])
		}
		index, ok := small(row["index"])
		if !ok {
			continue
		}
		d := facts.Device{
			Index: index, Name: row["name"], UUID: row["uuid"], Bus: busID(row["pci.bus_id"]), Compute: row["compute_cap"],
			Memory: mebibytes(row["memory.total"]), Used: mebibytes(row["memory.used"]), Processes: -1,
		}
		switch row["mig.mode.current"] {
		case "Enabled":
			d.MIG = migEnabled
		case "Disabled":
			d.MIG = migDisabled
		}
		for _, code := range []int{facts.NVMLLost, facts.NVMLReset} {
			if slices.Contains(values, "["+nvmlErrors()[code]+"]") {
				d.Problem, d.Code = nvmlErrors()[code], code
			}
		}
		devices, driver = append(devices, d), max(driver, row["driver_version"])
	}
	return numbered(devices), driver
}

// parseLost reads the line that replaces the row of a GPU that does not respond. The
// address is written "GPU 0000:02:00.0", "GPU0000:02:00.0" or "GPU0: 0000:02:00.0".
func parseLost(text string) (facts.Device, bool) {
	rest, ok := strings.CutPrefix(text, "Unable to determine the device handle for ")
	if !ok {
		return facts.Device{}, false
	}
	at := strings.LastIndex(rest, ": ")
	if at < 0 {
		return facts.Device{}, false
	}
	place, problem := rest[:at], rest[at+2:]
	problem, _, _ = strings.Cut(problem, ".")
	bus := strings.TrimPrefix(place[strings.LastIndexByte(place, ' ')+1:], "GPU")
	problem = printable(problem)
	return facts.Device{Index: -1, Bus: busID(bus), Processes: -1, Problem: problem, Code: nvmlCode(problem)}, true
}

// numbered sets the index of GPUs without one to the unused numbers.
func numbered(devices []facts.Device) []facts.Device {
	used := map[int]bool{}
	for _, d := range devices {
		used[d.Index] = true
	}
	next := 0
	for i := range devices {
		if devices[i].Index >= 0 {
			continue
		}
		for used[next] {
			next++
		}
		devices[i].Index, used[next] = next, true
	}
	slices.SortStableFunc(devices, func(a, b facts.Device) int { return a.Index - b.Index })
	return devices
}

// smiValue returns a value of nvidia-smi, or "" for "[N/A]", "[Not Supported]",
// "[Unknown Error]" and the like.
func smiValue(s string) string {
	s = printable(s)
	if strings.HasPrefix(s, "[") || s == "N/A" {
		return ""
	}
	return s
}

// small parses a number of at most 16 bits.
func small(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil
}

// mebibytes parses a number of MiB and returns bytes, or 0 if it is invalid.
func mebibytes(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>20 {
		return 0
	}
	return n << 20
}

// A banner is the output of nvidia-smi without arguments.
type banner struct {
	driver string
	cuda   string // "12.2"
	noCUDA bool   // it reports that libcuda is missing
	slices map[sliceAt]facts.Slice
}

// sliceAt identifies a MIG device by the numbers of its GPU and of itself.
type sliceAt struct{ gpu, mig int }

// parseBanner reads the versions, whose labels changed with driver 610, and the memory of
// MIG devices.
func parseBanner(b []byte) banner {
	var found banner
	for line := range bytes.Lines(b) {
		text := strings.ToValidUTF8(string(line), "")
		for _, name := range []string{"Driver Version:", "KMD Version:"} {
			if _, v, ok := strings.Cut(text, name); ok && found.driver == "" {
				found.driver = leadingVersion([]byte(strings.TrimSpace(v)))
			}
		}
		for _, name := range []string{"CUDA Version:", "CUDA UMD Version:"} {
			if _, v, ok := strings.Cut(text, name); ok && found.cuda == "" {
				v = strings.TrimSpace(v)
				found.cuda, found.noCUDA = leadingVersion([]byte(v)), strings.HasPrefix(v, "N/A")
			}
		}
		if at, s, ok := parseSliceRow(text); ok {
			if found.slices == nil {
				found.slices = map[sliceAt]facts.Slice{}
			}
			found.slices[at] = s
		}
	}
	return found
}

// parseSliceRow reads a row of the table of MIG devices, whose columns are the
// numbers of GPU, GPU instance, compute instance and device:
// "|  0    1   0   0  |     37MiB / 40192MiB    | 42      0 | …".
func parseSliceRow(text string) (sliceAt, facts.Slice, bool) {
	cells := strings.Split(strings.TrimSpace(text), "|")
	if len(cells) < 4 || cells[0] != "" {
		return sliceAt{}, facts.Slice{}, false
	}
	numbers := strings.Fields(cells[1])
	used, total, ok := strings.Cut(cells[2], "/")
	if len(numbers) != 4 || !ok {
		return sliceAt{}, facts.Slice{}, false
	}
	gpu, ok1 := small(numbers[0])
	mig, ok2 := small(numbers[3])
	s := facts.Slice{Memory: withUnit(total), Used: withUnit(used)}
	return sliceAt{gpu, mig}, s, ok1 && ok2 && s.Memory > 0
}

// withUnit reads "40192MiB".
func withUnit(s string) int64 { return mebibytes(strings.TrimSuffix(strings.TrimSpace(s), "MiB")) }

// parseList reads the MIG devices in the output of `nvidia-smi -L`, by the number of their
// GPU.
func parseList(b []byte) map[int][]facts.Slice {
	found := map[int][]facts.Slice{}
	gpu := -1
	for line := range bytes.Lines(b) {
		text := printable(string(line))
		uuid := ""
		if _, after, ok := strings.Cut(text, "(UUID: "); ok {
			uuid, _, _ = strings.Cut(after, ")")
		}
		words := strings.Fields(text)
		switch {
		case len(words) < 2:
		case words[0] == "GPU":
			if n, ok := small(strings.TrimSuffix(words[1], ":")); ok {
				gpu = n
			} else {
				gpu = -1
			}
		case words[0] == "MIG" && gpu >= 0:
			found[gpu] = append(found[gpu], facts.Slice{Name: words[1], UUID: uuid})
		}
	}
	return found
}

// addSlices sets the MIG devices of each GPU, with the memory from the banner or else from
// their names.
func addSlices(devices []facts.Device, list map[int][]facts.Slice, shown map[sliceAt]facts.Slice) {
	for i := range devices {
		d := &devices[i]
		if d.MIG != migEnabled {
			continue
		}
		d.Slices = list[d.Index]
		for j := range d.Slices {
			s, measured := &d.Slices[j], shown[sliceAt{d.Index, j}]
			s.Memory, s.Used = measured.Memory, measured.Used
			if s.Memory == 0 {
				s.Memory = nominalMemory(s.Name)
			}
		}
	}
}

// nominalMemory returns the memory in the name of a MIG device: 40 GB of "3g.40gb" or
// "1c.3g.40gb+me". The real size is between 40 GB and 40 GiB.
func nominalMemory(name string) int64 {
	_, after, _ := strings.Cut(name, "g.")
	size, _, ok := strings.Cut(after, "gb")
	n, number := small(size)
	if !ok || !number {
		return 0
	}
	return int64(n) * 1e9
}
