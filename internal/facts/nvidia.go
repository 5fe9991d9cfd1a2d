package facts

// DriverState is the result of asking the NVIDIA driver. A driver that was not asked
// has no fact.
type DriverState string

const (
	NoDriver     DriverState = "none"   // no NVIDIA driver on this machine
	DriverBroken DriverState = "broken" // the driver gave no valid answer; see Reason
	DriverOK     DriverState = "ok"
)

// The NVML return codes (nvmlReturn_t) that have a remedy.
const (
	NVMLNoPermission = 4
	NVMLNoPower      = 8
	NVMLNotLoaded    = 9
	NVMLNoLibrary    = 12
	NVMLInfoROM      = 14
	NVMLLost         = 15
	NVMLReset        = 16
	NVMLBlocked      = 17
	NVMLMismatch     = 18
)

// Nvidia is the NVIDIA driver and its GPUs. Its CUDA version is that of the driver; the
// versions of the toolkit (Toolkit) and of the installed torch are separate facts.
type Nvidia struct {
	State  DriverState `json:"state"`
	Reason string      `json:"reason,omitempty"` // why broken, from the library: "Driver/library version mismatch"
	Code   int         `json:"code,omitempty"`   // NVML return code (nvmlReturn_t) of Reason; 0 if not from NVML
	Source string      `json:"source,omitempty"` // "nvml" or "nvidia-smi"; without an answer the file that shows a driver: "/proc/driver/nvidia"
	Driver string      `json:"driver,omitempty"` // version of the driver's libraries: "535.183.01"
	Kernel string      `json:"kernel,omitempty"` // version of the kernel module; differs from Driver after an update without a reboot. Absent on WSL
	// CUDA is the newest CUDA that the driver supports, "12.2". If it is not known,
	// CUDAReason tells why. NoLibcuda reports that libcuda.so.1 is missing: such a
	// container lists its GPUs and cannot use them.
	CUDA       string   `json:"cuda,omitempty"`
	CUDAReason string   `json:"cuda_reason,omitempty"`
	NoLibcuda  bool     `json:"no_libcuda,omitempty"`
	Devices    []Device `json:"devices,omitempty"` // all GPUs in PCI order, regardless of Visible
	// Visible is CUDA_VISIBLE_DEVICES, which CUDA obeys and the driver ignores; nil if
	// not set. VisibleOrder is CUDA_DEVICE_ORDER.
	Visible      *string `json:"visible,omitempty"`
	VisibleOrder string  `json:"visible_order,omitempty"`
	// Nodes are the device files that are missing or that this user may not open. CUDA
	// needs /dev/nvidia-uvm.
	Nodes []Node `json:"nodes,omitempty"`
}

// Node is a device file that cannot be opened.
type Node struct {
	Path   string `json:"path"`             // "/dev/nvidia-uvm"
	Reason string `json:"reason"`           // "permission denied"
	Denied bool   `json:"denied,omitempty"` // the file exists and this user may not open it
}

// String returns text such as "/dev/nvidia-uvm: permission denied".
func (n Node) String() string { return n.Path + ": " + n.Reason }

// Device is one GPU as reported by the driver. Sizes are bytes.
type Device struct {
	Index     int    `json:"index"` // in PCI order
	Name      string `json:"name"`  // "NVIDIA GeForce RTX 3090"
	UUID      string `json:"uuid,omitempty"`
	Bus       string `json:"bus,omitempty"`     // "00000000:01:00.0"
	Memory    int64  `json:"memory,omitempty"`  // total; 0 if not known (integrated GPUs, a MIG parent without privileges)
	Used      int64  `json:"used,omitempty"`    // when probed; decides only whether a smoke test can run
	Compute   string `json:"compute,omitempty"` // compute capability, "8.6"; "" if not known
	Processes int    `json:"processes"`         // number of compute processes; -1 if not known
	// MIG is "" if the GPU does not support it, else "disabled" or "enabled". If enabled,
	// only Slices can be used.
	MIG     string  `json:"mig,omitempty"`
	Slices  []Slice `json:"slices,omitempty"`
	Problem string  `json:"problem,omitempty"` // why it does not respond: "GPU is lost"
	Code    int     `json:"code,omitempty"`    // NVML return code of Problem; 0 if not known
}

// Slice is one MIG device. Sizes are bytes.
type Slice struct {
	Name   string `json:"name"` // "3g.40gb"
	UUID   string `json:"uuid,omitempty"`
	Memory int64  `json:"memory,omitempty"`
	Used   int64  `json:"used,omitempty"`
}

// Toolkit is the CUDA toolkit of the machine. Wheels do not need it: they contain
// their own libraries.
type Toolkit struct {
	Version string `json:"version,omitempty"` // "12.1"; "" if there is none
	Source  string `json:"source,omitempty"`  // the file that holds the version
}

// Key returns NvidiaKey.
func (Nvidia) Key() Key { return NvidiaKey }

// Key returns ToolkitKey.
func (Toolkit) Key() Key { return ToolkitKey }
