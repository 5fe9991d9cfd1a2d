package probes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// driverDirs lists the folders of the driver's libraries that the loader may not search: of
// Fedora, WSL, container hosts and NixOS. They contain only the driver, so that they can
// precede the system's folders.
func driverDirs() []string {
	return []string{"/usr/lib64/nvidia", "/usr/lib/wsl/lib", "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/run/opengl-driver/lib"}
}

const (
	libraryName = "libnvidia-ml.so.1"
	procNvidia  = "/proc/driver/nvidia"
	noLibcuda   = "libcuda.so.1 was not found: a container needs the capability compute"
)

// nvmlErrors has the texts of nvmlErrorString by return code. That function cannot be called
// if the library failed to start.
var nvmlErrors = sync.OnceValue(func() map[int]string {
	return map[int]string{
		1: "Uninitialized", 2: "Invalid Argument", 3: "Not Supported", 4: "Insufficient Permissions", 6: "Not Found",
		8: "Insufficient External Power", 9: "Driver Not Loaded", 10: "Timeout", 11: "Interrupt Request Issue",
		12: "NVML Shared Library Not Found", 13: "Function Not Found", 14: "Corrupted infoROM", 15: "GPU is lost",
		16: "GPU requires reset", 17: "GPU access blocked by the operating system", 18: "Driver/library version mismatch",
		19: "In use by another client", 20: "Insufficient Memory", 999: "Unknown Error",
	}
})

// nvidia reads the NVIDIA driver and its GPUs from the first source that answers:
//
//  1. Files. If they show no driver, no process is started.
//  2. NVML in a helper process, because the driver's library can crash, hang or end the
//     process that calls it.
//  3. nvidia-smi, unless NVML hung: it calls the same library.
//  4. /proc/driver/nvidia, which has little more than the names of the GPUs.
func (p *Prober) nvidia(ctx context.Context) (facts.Nvidia, error) {
	none := facts.Nvidia{State: facts.NoDriver}
	if p.system.os != "linux" {
		return none, nil
	}
	seen, err := p.readDriverFiles()
	if err == nil && !seen.loaded() {
		var bus []pciGPU
		bus, err = p.gpusOnBus()
		seen.card = nvidiaCard(bus)
	}
	if err != nil {
		return none, err
	}
	if seen == (driverFiles{}) {
		return none, nil
	}
	smi := p.findSMI()
	if !seen.loaded() && smi == "" && !p.hasLibrary() {
		none.Reason = "an NVIDIA card (" + seen.card + ") without an NVIDIA driver"
		return none, nil
	}
	n, err := p.askDriver(ctx, smi)
	if err != nil {
		return none, err
	}
	if n.Source == "" {
		n = p.fromProc(seen, n.Reason)
	}
	n.Kernel = seen.kernel
	if seen.loaded() && !seen.wsl {
		n.Nodes = p.missingNodes()
	}
	if v, ok := p.environ["CUDA_VISIBLE_DEVICES"]; ok {
		v = printable(v)
		n.Visible = &v
	}
	n.VisibleOrder = printable(p.environ["CUDA_DEVICE_ORDER"])
	sanitize(&n)
	return n, nil
}

// driverFiles are the files that show a driver or a card.
type driverFiles struct {
	module bool   // the kernel module is loaded
	kernel string // its version
	nodes  bool   // it has device files
	wsl    bool   // WSL provides the driver of Windows
	card   string // PCI device of a card; set only if there is no driver
}

func (d driverFiles) loaded() bool { return d.module || d.nodes || d.wsl }

// source returns the file that shows the driver or the card.
func (d driverFiles) source() string {
	switch {
	case d.module:
		return procNvidia
	case d.wsl:
		return "/dev/dxg"
	case d.nodes:
		return "/dev/nvidiactl"
	}
	return d.card
}

// readDriverFiles reads the files of the driver, without the card.
func (p *Prober) readDriverFiles() (driverFiles, error) {
	var d driverFiles
	b, err := readSmall(p.sys(procNvidia + "/version"))
	switch {
	case err == nil:
		d.module, d.kernel = true, parseNVRM(b)
	case !errors.Is(err, fs.ErrNotExist):
		return d, err
	}
	d.nodes = exists(p.sys("/dev/nvidiactl")) || exists(p.sys("/dev/nvidia0"))
	d.wsl = !d.module && exists(p.sys("/dev/dxg")) &&
		(exists(p.sys("/usr/lib/wsl/lib/libcuda.so.1")) || exists(p.sys("/usr/lib/wsl/lib/"+libraryName)))
	return d, nil
}

// parseNVRM returns the driver version in /proc/driver/nvidia/version: "580.65.06" from
// "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build …".
func parseNVRM(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	for _, word := range strings.Fields(string(line)) {
		if v := leadingVersion([]byte(word)); v == word && strings.Contains(v, ".") {
			return v
		}
	}
	return ""
}

// hasLibrary reports whether the NVML library is in one of the folders in which drivers
// install it. The loader may search others.
func (p *Prober) hasLibrary() bool {
	dirs := append(driverDirs(), "/usr/lib/"+p.arch+"-linux-gnu", "/usr/lib64", "/usr/lib")
	return slices.ContainsFunc(dirs, func(dir string) bool { return exists(p.sys(dir + "/" + libraryName)) })
}

// driverEnv returns the variables with which a program finds the driver's libraries. The
// inherited LD_LIBRARY_PATH is ignored.
func (p *Prober) driverEnv() []string {
	var dirs []string
	for _, dir := range driverDirs() {
		if exists(p.sys(dir)) {
			dirs = append(dirs, p.sys(dir))
		}
	}
	if dirs == nil {
		return p.driverExtra
	}
	return append([]string{"LD_LIBRARY_PATH=" + strings.Join(dirs, ":")}, p.driverExtra...)
}

// askDriver queries NVML, then nvidia-smi. A result without Source means that neither
// answered, for Reason if it is set.
func (p *Prober) askDriver(ctx context.Context, smi string) (facts.Nvidia, error) {
	if p.driverStuck.Load() {
		return facts.Nvidia{}, errors.New("an earlier query of the driver hangs in a process that cannot be ended")
	}
	// The rest of the time is for the caller.
	ctx, cancel := context.WithTimeout(ctx, p.deadline*4/5)
	defer cancel()
	var unanswered facts.Nvidia
	if p.Helper != "" {
		n, err := p.askNVML(ctx)
		if err == nil && n.Code != facts.NVMLNoLibrary {
			return n, nil
		}
		if ctx.Err() != nil {
			return unanswered, p.noAnswer(ctx)
		}
		if err != nil {
			unanswered.Reason = err.Error()
		}
	}
	if smi == "" {
		return unanswered, nil
	}
	n := p.askSMI(ctx, smi)
	if n.State == "" {
		return unanswered, p.noAnswer(ctx)
	}
	return n, nil
}

func (p *Prober) noAnswer(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the NVIDIA driver did not answer in %v", p.deadline*4/5)
	}
	return errors.New("interrupted")
}

// helperWord is the only argument of a helper process. See Prober.Helper.
const helperWord = "nvml-helper"

const sourceNVML = "nvml"

// askNVML queries NVML in a helper process.
func (p *Prober) askNVML(ctx context.Context) (facts.Nvidia, error) {
	r, err := p.driverCommand(ctx, p.Helper, helperWord)
	if err != nil {
		return facts.Nvidia{}, fmt.Errorf("query of %s: %s", libraryName, failure(r, err))
	}
	return parseHelper(r.Stdout)
}

// parseHelper reads the output of the helper.
func parseHelper(b []byte) (facts.Nvidia, error) {
	var n facts.Nvidia
	if err := json.Unmarshal(b, &n); err != nil || n.Source != sourceNVML || n.State != facts.DriverOK && n.State != facts.DriverBroken {
		return facts.Nvidia{}, fmt.Errorf("query of %s returned invalid output", libraryName)
	}
	return n, nil
}

// driverCommand runs a program that queries the driver, and kills it when ctx ends.
func (p *Prober) driverCommand(ctx context.Context, program string, args ...string) (command.Result, error) {
	r, err := command.Run(ctx, command.Command{Program: program, Args: args, Env: p.driverEnv(), Dir: "/", Kill: ctx})
	if e, ok := errors.AsType[*command.Error](err); ok && e.ExitCode < 0 && e.Signal == 0 {
		p.driverStuck.Store(true) // another one would hang too
	}
	return r, err
}

// failure describes how a program failed, with the first line of its output.
func failure(r command.Result, err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*command.Error](err); ok {
		text = strings.TrimPrefix(text, e.Program+": ")
	}
	for _, out := range [][]byte{r.Stderr, r.Stdout} {
		for line := range bytes.Lines(out) {
			if line := printable(string(line)); line != "" {
				return text + ": " + line
			}
		}
	}
	return text
}

// fromProc returns a broken driver, with the GPUs that the kernel module lists, if no
// program could query it. reason may be "".
func (p *Prober) fromProc(seen driverFiles, reason string) facts.Nvidia {
	n := facts.Nvidia{State: facts.DriverBroken, Source: seen.source(), Reason: reason, Devices: p.procDevices()}
	switch {
	case reason != "":
	case !seen.loaded():
		n.Reason = "its libraries are installed, but its kernel module is not loaded"
	case p.Helper == "" && p.hasLibrary():
		n.Reason = "nvidia-smi was not found, and this build cannot call " + libraryName
	default:
		n.Reason = "its libraries are not installed, or not visible: a container needs the capability utility"
	}
	return n
}

// procDevices returns the GPUs that the kernel module lists.
func (p *Prober) procDevices() []facts.Device {
	dir := p.sys(procNvidia + "/gpus")
	entries, _ := os.ReadDir(dir) // sorted in PCI order
	var devices []facts.Device
	for _, e := range entries {
		b, err := readSmall(filepath.Join(dir, e.Name(), "information"))
		if err != nil {
			continue
		}
		d := parseInformation(b)
		d.Index, d.Bus = len(devices), busID(e.Name())
		devices = append(devices, d)
	}
	return devices
}

// models returns the different names of GPUs, each with its number: "2 x NVIDIA H100, NVIDIA T400".
func models(all []string) string {
	count := map[string]int{}
	for _, name := range all {
		count[printable(name)]++
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		if n := count[name]; n > 1 {
			name = fmt.Sprintf("%d x %s", n, name)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// parseInformation reads the name and UUID of a GPU from the kernel module.
func parseInformation(b []byte) facts.Device {
	d := facts.Device{Processes: -1}
	for line := range bytes.Lines(b) {
		key, value, _ := strings.Cut(string(line), ":")
		switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
		case "Model":
			d.Name = value
		case "GPU UUID":
			if !strings.Contains(value, "?") { // unknown until the GPU is used
				d.UUID = value
			}
		}
	}
	return d
}

// missingNodes returns the device files that CUDA needs and this user cannot open. It does
// not open them, which would wake the GPU. A container may have any of the GPUs.
func (p *Prober) missingNodes() []facts.Node {
	names := []string{"/dev/nvidiactl", "/dev/nvidia-uvm"}
	gpus, _ := filepath.Glob(p.sys("/dev/nvidia[0-9]*"))
	if len(gpus) == 0 {
		names = append(names, "/dev/nvidia0")
	}
	for _, gpu := range gpus {
		names = append(names, strings.TrimPrefix(gpu, p.prefix))
	}
	var missing []facts.Node
	for _, name := range names {
		if err := unix.Access(p.sys(name), unix.R_OK|unix.W_OK); err != nil {
			denied := errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
			missing = append(missing, facts.Node{Path: name, Reason: err.Error(), Denied: denied})
		}
	}
	return missing
}

// busID returns a PCI address in the form of NVML: "00000000:C1:00.0".
func busID(s string) string {
	s = strings.ToUpper(strings.TrimSpace(s))
	if domain, _, ok := strings.Cut(s, ":"); ok && len(domain) == 4 && strings.Count(s, ":") == 2 {
		return "0000" + s
	}
	return s
}

// sanitize makes all texts printable: some drivers return invalid bytes as names.
func sanitize(n *facts.Nvidia) {
	for _, s := range []*string{&n.Reason, &n.Driver, &n.Kernel, &n.CUDA, &n.CUDAReason} {
		*s = printable(*s)
	}
	for i := range n.Devices {
		d := &n.Devices[i]
		for _, s := range []*string{&d.Name, &d.UUID, &d.Bus, &d.Compute, &d.MIG, &d.Problem} {
			*s = printable(*s)
		}
		for j := range d.Slices {
			d.Slices[j].Name, d.Slices[j].UUID = printable(d.Slices[j].Name), printable(d.Slices[j].UUID)
		}
	}
}

// maxText is the largest length of a text in bytes. A list of all MIG devices of a large
// machine has some 2,000.
const maxText = 4 << 10

// printable returns the printable part of a text on one line, at most maxText long.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return strings.TrimSpace(s)
}
