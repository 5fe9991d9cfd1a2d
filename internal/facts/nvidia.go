package facts

// DriverState tells three answers apart that are easily mixed up. A fourth, "not
// asked", is no fact at all: the key is unknown.
type DriverState string

const (
	NoDriver     DriverState = "none"   // no NVIDIA driver on this machine
	DriverBroken DriverState = "broken" // there is one, and it does not answer as it should; Reason says why
	DriverOK     DriverState = "ok"
)

// What NVML returns (nvmlReturn_t), as far as there is something to do about it.
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

// Nvidia is what the NVIDIA driver says of itself and of its GPUs. Three versions
// of CUDA are kept apart: that of the driver (here), of the toolkit (Toolkit) and
// of the torch that is installed, which is a matter of the environment.
type Nvidia struct {
	State  DriverState `json:"state"`
	Reason string      `json:"reason,omitempty"` // why broken, in the words of the library: "Driver/library version mismatch"
	Code   int         `json:"code,omitempty"`   // what NVML returned with Reason (nvmlReturn_t), 0 if it was not NVML that told
	Source string      `json:"source,omitempty"` // what answered: "nvml", "nvidia-smi"; else the file that shows a driver nobody could ask: "/proc/driver/nvidia"
	Driver string      `json:"driver,omitempty"` // version of the driver's libraries: "535.183.01"
	Kernel string      `json:"kernel,omitempty"` // version of the kernel module; differs from Driver after an update without a reboot. Absent on WSL
	// CUDA is the newest CUDA that the driver offers, "12.2". "" if it is not known,
	// and CUDAReason then says why. NoLibcuda says that there is none: a container
	// without libcuda.so.1 sees its GPUs and cannot use them.
	CUDA       string   `json:"cuda,omitempty"`
	CUDAReason string   `json:"cuda_reason,omitempty"`
	NoLibcuda  bool     `json:"no_libcuda,omitempty"`
	Devices    []Device `json:"devices,omitempty"` // in the order of the PCI bus, all of them, whatever Visible says
	// Visible is CUDA_VISIBLE_DEVICES as it is set, which CUDA obeys and the driver
	// does not; nil if it is not set. VisibleOrder is CUDA_DEVICE_ORDER.
	Visible      *string `json:"visible,omitempty"`
	VisibleOrder string  `json:"visible_order,omitempty"`
	// Nodes are device files that are lacking or that this user may not open. Without
	// /dev/nvidia-uvm CUDA cannot start.
	Nodes []Node `json:"nodes,omitempty"`
}

// Node is a device file that cannot be opened.
type Node struct {
	Path   string `json:"path"`             // "/dev/nvidia-uvm"
	Reason string `json:"reason"`           // "permission denied"
	Denied bool   `json:"denied,omitempty"` // it is there, and this user may not open it; else it is lacking
}

// String is such as "/dev/nvidia-uvm: permission denied".
func (n Node) String() string { return n.Path + ": " + n.Reason }

// Device is one GPU as the driver sees it. Sizes are bytes.
type Device struct {
	Index     int    `json:"index"` // of the driver: PCI order
	Name      string `json:"name"`  // "NVIDIA GeForce RTX 3090"
	UUID      string `json:"uuid,omitempty"`
	Bus       string `json:"bus,omitempty"`     // "00000000:01:00.0"
	Memory    int64  `json:"memory,omitempty"`  // total; 0 if not known (integrated GPUs, a MIG parent without privileges)
	Used      int64  `json:"used,omitempty"`    // at this moment; decides nothing but whether a proof can be made
	Compute   string `json:"compute,omitempty"` // compute capability, "8.6"; "" if not known
	Processes int    `json:"processes"`         // that compute on it; -1 if not known
	// MIG is "" where the GPU has no such mode, else "disabled" or "enabled"; then
	// Slices are what can be used, and the whole is not.
	MIG     string  `json:"mig,omitempty"`
	Slices  []Slice `json:"slices,omitempty"`
	Problem string  `json:"problem,omitempty"` // why it does not answer: "GPU is lost"
	Code    int     `json:"code,omitempty"`    // what NVML returned with Problem, 0 if that is not known
}

// Slice is one MIG device. Sizes are bytes.
type Slice struct {
	Name   string `json:"name"` // "3g.40gb"
	UUID   string `json:"uuid,omitempty"`
	Memory int64  `json:"memory,omitempty"`
	Used   int64  `json:"used,omitempty"`
}

// Toolkit is the CUDA toolkit of the machine, which wheels do not need: they bring
// their own libraries.
type Toolkit struct {
	Version string `json:"version,omitempty"` // "12.1"; "" if there is none
	Source  string `json:"source,omitempty"`  // the file that told
}

// Key names what the NVIDIA driver says.
func (Nvidia) Key() Key { return NvidiaKey }

// Key names the CUDA toolkit.
func (Toolkit) Key() Key { return ToolkitKey }
