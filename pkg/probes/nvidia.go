package probes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Where the driver's libraries lie when the loader's own search does not lead to
// them: Fedora, WSL, machines that lend their driver to containers, NixOS. Nothing
// but the driver is in these, so that they may come before the system's libraries.
var driverDirs = []string{"/usr/lib64/nvidia", "/usr/lib/wsl/lib", "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/run/opengl-driver/lib"}

const (
	libraryName = "libnvidia-ml.so.1"
	procNvidia  = "/proc/driver/nvidia"
	noLibcuda   = "libcuda.so.1 was not found: in a container, the capability compute is needed"
)

// What NVML's numbers mean, in the words of nvmlErrorString: the library itself is
// not asked for them, since nothing of it may be called once it failed to start.
var nvmlWords = map[int]string{
	1:   "Uninitialized",
	2:   "Invalid Argument",
	3:   "Not Supported",
	4:   "Insufficient Permissions",
	6:   "Not Found",
	8:   "Insufficient External Power",
	9:   "Driver Not Loaded",
	10:  "Timeout",
	11:  "Interrupt Request Issue",
	12:  "NVML Shared Library Not Found",
	13:  "Function Not Found",
	14:  "Corrupted infoROM",
	15:  "GPU is lost",
	16:  "GPU requires reset",
	17:  "GPU access blocked by the operating system",
	18:  "Driver/library version mismatch",
	19:  "In use by another client",
	20:  "Insufficient Memory",
	999: "Unknown Error",
}

// nvidia asks the NVIDIA driver what it says of itself and of its GPUs:
//
//  1. Files. Where they show no driver, nothing is started.
//  2. NVML, in a process of its own, because a driver's library can crash, hang
//     or end the process that calls it.
//  3. nvidia-smi, where there is no such process, no library for it, or no
//     answer. Not after a hang: it asks the same library.
//  4. /proc/driver/nvidia, which knows the names of the GPUs and little else.
func (p *Prober) nvidia(ctx context.Context) (facts.Nvidia, error) {
	none := facts.Nvidia{State: facts.NoDriver}
	if p.system.os != "linux" {
		return none, nil
	}
	seen, err := p.driverTraces()
	if err != nil {
		return none, err
	}
	if seen == (traces{}) {
		return none, nil
	}
	smi := p.findSMI()
	if !seen.loaded() && smi == "" && p.findLibrary() == "" {
		none.Reason = "there is an NVIDIA card (" + seen.card + ") and no NVIDIA driver"
		return none, nil
	}
	n, err := p.askDriver(ctx, smi)
	if err != nil {
		return none, err
	}
	if n.Source == "" {
		n = p.unasked(seen, n.Reason)
	}
	n.Kernel = seen.kernel
	if seen.loaded() && !seen.wsl {
		n.Nodes = p.lackingNodes()
	}
	if v, ok := p.environ["CUDA_VISIBLE_DEVICES"]; ok {
		v = printable(v)
		n.Visible = &v
	}
	n.VisibleOrder = printable(p.environ["CUDA_DEVICE_ORDER"])
	tidy(&n)
	return n, nil
}

// traces are what files show of a driver and its cards.
type traces struct {
	module bool   // the kernel module is loaded
	kernel string // its version
	nodes  bool   // there are device files of it
	wsl    bool   // Windows lends its driver
	card   string // where the PCI bus shows a card; looked for only if there is nothing else
}

func (t traces) loaded() bool { return t.module || t.nodes || t.wsl }

// source is the file that showed it.
func (t traces) source() string {
	switch {
	case t.module:
		return procNvidia
	case t.wsl:
		return "/dev/dxg"
	case t.nodes:
		return "/dev/nvidiactl"
	}
	return t.card
}

func (p *Prober) driverTraces() (traces, error) {
	var t traces
	b, err := os.ReadFile(p.sys(procNvidia + "/version"))
	switch {
	case err == nil:
		t.module, t.kernel = true, parseNVRM(b)
	case !errors.Is(err, fs.ErrNotExist):
		return t, err
	}
	t.nodes = exists(p.sys("/dev/nvidiactl")) || exists(p.sys("/dev/nvidia0"))
	t.wsl = !t.module && exists(p.sys("/dev/dxg")) &&
		(exists(p.sys("/usr/lib/wsl/lib/libcuda.so.1")) || exists(p.sys("/usr/lib/wsl/lib/"+libraryName)))
	if t.loaded() {
		return t, nil
	}
	source, err := p.nvidiaOnBus()
	if source != "" {
		t.card = filepath.Dir(source)
	}
	return t, err
}

// findLibrary returns NVML's library from the places where drivers put it, "" for
// none. It may be elsewhere: the loader has places of its own.
func (p *Prober) findLibrary() string {
	for _, dir := range append(p.libraryDirs(), driverDirs...) {
		if name := dir + "/" + libraryName; exists(p.sys(name)) {
			return name
		}
	}
	return ""
}

// libraryDirs are the usual places of libraries on this architecture.
func (p *Prober) libraryDirs() []string {
	return []string{"/usr/lib/" + p.arch + "-linux-gnu", "/usr/lib64", "/usr/lib"}
}

// driverEnv is what a program needs to find the driver's libraries. The
// LD_LIBRARY_PATH of whoever calls us is not passed on.
func (p *Prober) driverEnv() []string {
	var dirs []string
	for _, dir := range driverDirs {
		if exists(p.sys(dir)) {
			dirs = append(dirs, p.sys(dir))
		}
	}
	if dirs == nil {
		return p.driverExtra
	}
	return append([]string{"LD_LIBRARY_PATH=" + strings.Join(dirs, ":")}, p.driverExtra...)
}

// askDriver asks NVML, then nvidia-smi. Without a Source nobody answered, for the
// Reason that it gives, if any.
func (p *Prober) askDriver(ctx context.Context, smi string) (facts.Nvidia, error) {
	if p.driverStuck.Load() {
		return facts.Nvidia{}, errors.New("the driver was asked before, and the process that waits for it cannot be ended")
	}
	// A little is left for looking at what comes.
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
		return fmt.Errorf("the NVIDIA driver gave no answer in %v", p.deadline*4/5)
	}
	return errors.New("interrupted")
}

// driverCommand runs a program that asks the driver, and ends it with ctx. What it
// prints last is kept, however much it is.
func (p *Prober) driverCommand(ctx context.Context, program string, args ...string) (command.Result, error) {
	r, err := command.Run(ctx, command.Command{Program: program, Args: args, Env: p.driverEnv(), Dir: "/", Kill: ctx})
	if e, ok := errors.AsType[*command.Error](err); ok && e.ExitCode < 0 && e.Signal == 0 {
		p.driverStuck.Store(true) // a second one would hang beside it
	}
	return r, err
}

// ending says how a program ended that did not end well, with its first words.
func ending(r command.Result, err error) string {
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

// unasked is the answer where no program could ask the driver, for the reason if
// there is one.
func (p *Prober) unasked(seen traces, reason string) facts.Nvidia {
	n := facts.Nvidia{State: facts.DriverBroken, Source: seen.source(), Reason: reason, Devices: p.procDevices()}
	switch {
	case reason != "":
	case !seen.loaded():
		n.Reason = "its libraries are installed and its kernel module is not loaded"
	case p.Helper == "" && p.findLibrary() != "":
		n.Reason = "nvidia-smi was not found, and this build cannot ask " + libraryName + " itself"
	default:
		n.Reason = "its libraries are not installed, or not visible: a container needs the capability utility"
	}
	return n
}

// procDevices returns the GPUs that the kernel module names.
func (p *Prober) procDevices() []facts.Device {
	dir := p.sys(procNvidia + "/gpus")
	entries, _ := os.ReadDir(dir) // sorted: the order of the bus
	var devices []facts.Device
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name(), "information"))
		if err != nil {
			continue
		}
		d := parseInformation(b)
		d.Index, d.Bus = len(devices), busID(e.Name())
		devices = append(devices, d)
	}
	return devices
}

// parseInformation reads the name and UUID that the kernel module gives a GPU.
func parseInformation(b []byte) facts.Device {
	d := facts.Device{Processes: -1}
	for line := range bytes.Lines(b) {
		key, value, _ := strings.Cut(string(line), ":")
		switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
		case "Model":
			d.Name = value
		case "GPU UUID":
			if !strings.Contains(value, "?") { // before the GPU was first used
				d.UUID = value
			}
		}
	}
	return d
}

// lackingNodes returns the device files that CUDA opens and this user cannot. They
// are not opened: that would wake the GPU. A container may have any of the GPUs.
func (p *Prober) lackingNodes() []facts.Node {
	names := []string{"/dev/nvidiactl", "/dev/nvidia-uvm"}
	gpus, _ := filepath.Glob(p.sys("/dev/nvidia[0-9]*"))
	if len(gpus) == 0 {
		names = append(names, "/dev/nvidia0")
	}
	for _, gpu := range gpus {
		names = append(names, strings.TrimPrefix(gpu, p.prefix))
	}
	var lacking []facts.Node
	for _, name := range names {
		if err := unix.Access(p.sys(name), unix.R_OK|unix.W_OK); err != nil {
			denied := errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
			lacking = append(lacking, facts.Node{Path: name, Reason: err.Error(), Denied: denied})
		}
	}
	return lacking
}

// busID spells a PCI address as NVML does: "00000000:C1:00.0".
func busID(s string) string {
	s = strings.ToUpper(strings.TrimSpace(s))
	if domain, _, ok := strings.Cut(s, ":"); ok && len(domain) == 4 && strings.Count(s, ":") == 2 {
		return "0000" + s
	}
	return s
}

// tidy makes every text of an answer fit to print: drivers have given names of
// bytes that nobody wrote.
func tidy(n *facts.Nvidia) {
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

// maxText is what is kept of a text, in bytes: a list of all MIG devices of a large
// machine is of some 2,000.
const maxText = 4 << 10

// printable returns what of a text can be printed, on one line and not too long.
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
