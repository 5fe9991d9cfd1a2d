#!/usr/bin/env python3
"""Diagnose torch, CUDA and the GPUs.

NVIDIA GPUs are checked. GPUs of AMD (ROCm), Intel (XPU) and Apple (MPS) are reported as torch and
the system list them.

Run it with the Python of the environment:

    .venv/bin/python scripts/gpu_diagnostics.py            # one line per check, with hints
    .venv/bin/python scripts/gpu_diagnostics.py --json     # the same as JSON

It changes nothing. To read the free memory of a GPU, torch opens a context on it, which
uses some hundred MB until this program ends. It needs Python 3.8 and its standard library;
torch may be missing.

Exit status: 0 if no check fails (warnings do not count), 1 otherwise.

`reconcile doctor` also checks the system, disks, package index and the files of the
environment.
"""

import argparse
import faulthandler
import glob
import importlib.util
import json
import os
import platform
import shutil
import site
import subprocess
import sys
import warnings

try:
    from importlib import metadata
except ImportError:  # before 3.8
    sys.exit("gpu_diagnostics.py needs Python 3.8 or newer, this is %s" % platform.python_version())

# Libraries of torch and of the driver. Copies in LD_LIBRARY_PATH are loaded first, and may
# have another version than torch was built for.
LIBRARIES = ("libcuda.so", "libcudart.so", "libcublas.so", "libcudnn.so", "libcusparse.so", "libnccl.so", "libnvJitLink.so")

# CUDA errors of a GPU that is in use.
BUSY = ("out of memory", "busy or unavailable")

# PCI devices, each with the files class, vendor and device.
PCI = "/sys/bus/pci/devices"
VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
DISPLAY_ONLY = ("1002:515e", "1002:4752")  # of servers

# The first bitsandbytes that loads the nearest library of the same major version. Earlier ones load
# the library of exactly the version that torch was built for.
NEAREST = (0, 50)

DEADLINE = 120  # seconds; a driver that needs longer is reported as hanging


class Report:
    """Lines of a diagnosis: code, name, state (ok, warn, fail, unknown, skipped), finding
    and remedy."""

    def __init__(self):
        self.lines = []

    def add(self, code, name, state, found, remedy=""):
        self.lines.append({"code": code, "name": name, "state": state, "found": str(found), "remedy": remedy})

    def failed(self):
        return any(line["state"] == "fail" for line in self.lines)

    def print_text(self):
        width = max(len(line["name"]) for line in self.lines)
        for line in self.lines:
            first, *rest = printable(line["found"]).splitlines() or [""]
            print("%-7s  %-*s  %s" % (line["state"], width, line["name"], first))
            rest += ["hint: " + line["remedy"]] if line["remedy"] else []
            for text in rest:
                print(" " * (9 + width + 2) + text)

    def print_json(self):
        print(json.dumps({"version": 1, "failed": self.failed(), "lines": self.lines}, indent=2))


def printable(text):
    """Return a text without control characters."""
    return "".join(c if c.isprintable() or c == "\n" else "\\x%02x" % ord(c) for c in text)


def first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def python(report):
    where = "venv" if sys.prefix != sys.base_prefix else "conda" if os.path.isdir(os.path.join(sys.prefix, "conda-meta")) else "no environment"
    report.add("python", "Python", "ok", "%s, %s (%s)" % (platform.python_version(), sys.executable, where))
    if os.environ.get("PYTHONPATH"):
        report.add("python.path", "PYTHONPATH", "warn", os.environ["PYTHONPATH"],
                   "unset it for training: its modules are imported instead of those of the environment")


def read(*names):
    """Return the text of a file, "" if it cannot be read."""
    try:
        with open(os.path.join(*names), encoding="utf-8", errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return ""


def gpus():
    """Return the vendor, PCI ID, address and kernel driver of each GPU on the PCI bus of Linux. The
    processing accelerators (class 0x12) of AMD are GPUs, those of others are not."""
    found = []
    for folder in sorted(glob.glob(PCI + "/*")):
        kind, vendor, device = (read(folder, name) for name in ("class", "vendor", "device"))
        pci_id = vendor[2:] + ":" + device[2:]
        is_gpu = kind.startswith("0x03") or kind.startswith("0x12") and VENDORS.get(vendor) == "AMD"
        if vendor in VENDORS and is_gpu and pci_id not in DISPLAY_ONLY:
            path = os.path.join(folder, "driver")
            kernel = os.path.basename(os.readlink(path)) if os.path.islink(path) else ""
            found.append((VENDORS[vendor], pci_id, os.path.basename(folder), kernel))
    return found


def other_vendors():
    """Return the vendors of the GPUs if none is from NVIDIA, without the graphics of an Intel
    processor, which have a fixed address."""
    found = gpus()
    if any(vendor == "NVIDIA" for vendor, _, _, _ in found):
        return []
    return sorted({vendor for vendor, _, address, _ in found if vendor != "Intel" or address != "0000:00:02.0"})


def other_gpus(report):
    """Name the GPUs that are not from NVIDIA."""
    others = [gpu for gpu in gpus() if gpu[0] != "NVIDIA"]
    for i, (vendor, pci_id, address, kernel) in enumerate(others):
        name = read(PCI, address, "product_name") or "%s GPU %s" % (vendor, pci_id)
        report.add("other.%d" % i, "%s GPU" % vendor, "skipped",
                   "%s (%s), %s: not checked" % (name, address, "driver " + kernel if kernel else "no driver"))


def driver(report):
    """Run nvidia-smi, which asks the driver without torch."""
    if sys.platform == "darwin":
        report.add("driver", "NVIDIA driver", "skipped", "there is none for macOS")
        return
    program = shutil.which("nvidia-smi")
    if not program and other_vendors():
        report.add("driver", "NVIDIA driver", "skipped", "there is no NVIDIA GPU")
        return
    if not program:
        report.add("driver", "NVIDIA driver", "unknown", "nvidia-smi is not on PATH", "if this machine has an NVIDIA GPU, install its driver; in a container, start it with --gpus all")
        return
    command = [program, "--query-gpu=index,name,driver_version,memory.total,memory.used", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        report.add("driver", "NVIDIA driver", "fail", first_line(error), "the driver hangs: check dmesg, restart the machine")
        return
    text = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode != 0:
        remedy = "restart the machine: the driver was updated, but the kernel has the old module" if "mismatch" in text else "check dmesg; reload the driver or restart the machine"
        report.add("driver", "NVIDIA driver", "fail", text or "nvidia-smi exited with status %d" % done.returncode, remedy)
        return
    report.add("driver", "NVIDIA driver", "ok", text or "it lists no GPU")


def variables(report):
    for name in ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"):
        if name in os.environ:
            report.add("visible." + name, name, "skipped", "%s: not checked" % os.environ[name])
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    order = os.environ.get("CUDA_DEVICE_ORDER")
    if visible is None:
        report.add("visible", "visible GPUs", "ok", "all: CUDA_VISIBLE_DEVICES is not set")
    elif visible.strip() in ("", "-1", "NoDevFiles"):
        report.add("visible", "visible GPUs", "warn", "CUDA_VISIBLE_DEVICES=%s hides every GPU" % visible, "unset CUDA_VISIBLE_DEVICES")
    else:
        report.add("visible", "visible GPUs", "ok", "CUDA_VISIBLE_DEVICES=%s" % visible + (", CUDA_DEVICE_ORDER=%s" % order if order else ""))
    found = []
    for folder in filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)):
        for library in LIBRARIES:
            found += sorted(glob.glob(os.path.join(glob.escape(folder), library + "*")))[:1]
    if found:
        report.add("libraries", "LD_LIBRARY_PATH", "warn", "\n".join(found), "unset it for training: these are loaded instead of the libraries of torch and the driver")
    else:
        report.add("libraries", "LD_LIBRARY_PATH", "ok", "it has no CUDA library")


def load_torch(report):
    """Import torch, or return None."""
    if importlib.util.find_spec("torch") is None:
        report.add("torch", "torch", "fail", "it is not installed in this environment",
                   "run this with the Python of the environment: `reconcile run -- python scripts/gpu_diagnostics.py`")
        return None
    try:
        import torch
    except Exception as error:  # a missing library is an OSError
        report.add("torch", "torch", "fail", "it cannot be imported: " + first_line(error), "`reconcile verify` finds missing files; `reconcile heal` repairs them")
        return None
    text = "%s, %s" % (torch.__version__, os.path.dirname(torch.__file__))
    user = site.getusersitepackages() if hasattr(site, "getusersitepackages") else None
    if user and os.path.abspath(torch.__file__).startswith(user + os.sep):
        report.add("torch", "torch", "warn", text, "it is in your home, not in the environment: set PYTHONNOUSERSITE=1")
    else:
        report.add("torch", "torch", "ok", text)
    return torch


def rocm(torch):
    """Return the version of ROCm that torch is built for, "" for none."""
    return getattr(torch.version, "hip", None) or ""


def cuda(report, torch):
    """Return the number of GPUs that torch can use by torch.cuda: those of NVIDIA, or with a torch
    for ROCm those of AMD."""
    built, hip = torch.version.cuda, rocm(torch)
    if not built and not hip:
        no_cuda(report, torch)
        return 0
    report.add("torch.cuda", "CUDA of torch", "ok", built or "none: torch is built for ROCm %s, whose GPUs it calls cuda" % hip)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        why = [str(w.message) for w in caught]
        try:
            torch.cuda.init()
        except Exception as error:
            why.append(str(error))
        remedy = "compare the CUDA version of torch with that of the driver (nvidia-smi); check /dev/nvidia*; in a container, start it with --gpus all"
        if hip:
            remedy = "check `rocminfo`, and that this user may open /dev/kfd and /dev/dri/renderD*; in a container, start it with --device /dev/kfd --device /dev/dri"
        elif other_vendors():
            remedy = "this machine has no NVIDIA GPU, but one of %s: use another machine, or a torch that is built for this GPU" % " and ".join(other_vendors())
        report.add("available", "torch.cuda.is_available()", "fail", "False: " + ((why[-1].strip().splitlines() or [""])[0] if why else "no reason given"), remedy)
        return 0
    count = torch.cuda.device_count()
    report.add("available", "torch.cuda.is_available()", "ok", "True, %d GPU%s" % (count, "" if count == 1 else "s"))
    return count


def no_cuda(report, torch):
    """Report what a torch without CUDA and ROCm computes on."""
    if sys.platform == "darwin":
        report.add("torch.cuda", "CUDA of torch", "skipped", "there is none for macOS")
        mps(report, torch)
    elif "+xpu" in torch.__version__ or getattr(torch.version, "xpu", None):
        report.add("torch.cuda", "CUDA of torch", "skipped", "none: torch is built for Intel GPUs (XPU)")
        xpu(report, torch)
    elif other_vendors():
        report.add("torch.cuda", "CUDA of torch", "fail", "built for the CPU only",
                   "for this GPU install a torch for %s, from PyTorch's own index" % ("ROCm" if "AMD" in other_vendors() else "XPU"))
    else:
        report.add("torch.cuda", "CUDA of torch", "fail", "built for the CPU only", "install a torch that is built for CUDA")


def mps(report, torch):
    backend = getattr(torch.backends, "mps", None)
    if backend is None or not backend.is_built():
        report.add("torch.mps", "MPS of torch", "skipped", "torch is built without MPS: it computes on the CPU")
    elif not backend.is_available():
        report.add("torch.mps", "MPS of torch", "warn", "built, but torch.backends.mps.is_available() is False", "update macOS; a virtual Mac may have no GPU")
    else:
        report.add("torch.mps", "MPS of torch", "ok", "available: device mps. `smoke_test: {mps: true}` computes on it")


def xpu(report, torch):
    if not torch.xpu.is_available():
        report.add("torch.xpu", "torch.xpu.is_available()", "fail", "False", "install Intel's GPU driver (Level Zero), and check that this user may open /dev/dri/renderD*")
        return
    count = torch.xpu.device_count()
    names = [str(torch.xpu.get_device_name(i)) for i in range(count)]
    report.add("torch.xpu", "torch.xpu.is_available()", "ok", "True: %s; not checked further" % ", ".join(names))


def device(report, torch, i):
    code, name = "device.%d" % i, "GPU %d" % i
    try:
        p = torch.cuda.get_device_properties(i)
    except Exception as error:
        report.add(code, name, "fail", first_line(error), "check nvidia-smi and dmesg")
        return
    if rocm(torch):
        amd_device(report, torch, code, name, p)
        return
    text = "%s, compute capability %d.%d, %.1f GiB" % (p.name, p.major, p.minor, p.total_memory / 2**30)
    if not has_kernels(torch, p.major, p.minor):
        report.add(code, name, "fail", "%s; torch has kernels for %s" % (text, " ".join(torch.cuda.get_arch_list())), "install a torch that is built for this GPU")
        return
    try:
        free, _ = torch.cuda.mem_get_info(i)
    except Exception as error:
        busy = any(mark in str(error) for mark in BUSY)
        report.add(code, name, "unknown" if busy else "fail", "%s; %s" % (text, first_line(error)),
                   "another process uses it: nvidia-smi" if busy else "check nvidia-smi and dmesg")
        return
    text += ", %.1f GiB free" % (free / 2**30)
    text += ", bfloat16" if p.major >= 8 else ", no bfloat16"
    if p.major < 8:
        report.add(code, name, "warn", text, "bfloat16 needs compute capability 8.0: use float16")
    elif free < 2**30:
        report.add(code, name, "warn", text, "little memory is free: nvidia-smi lists the processes")
    else:
        report.add(code, name, "ok", text)


def amd_device(report, torch, code, name, p):
    target = str(getattr(p, "gcnArchName", "")).split(":")[0]  # "gfx942:sramecc+:xnack-"
    text = "%s, %s, %.1f GiB" % (p.name, target or "unknown target", p.total_memory / 2**30)
    known = getattr(torch.cuda, "get_arch_list", list)()
    if target and known and target not in known:
        report.add(code, name, "warn", "%s; torch has kernels for %s" % (text, " ".join(known)), "install a torch that is built for %s" % target)
    else:
        report.add(code, name, "ok", text + "; not checked further")


def has_kernels(torch, major, minor):
    """Report whether torch was compiled for a GPU: for its architecture or an earlier one of
    the same major version, or as PTX for an earlier one. True if unknown."""
    known = getattr(torch.cuda, "get_arch_list", list)()
    for arch in known:
        kind, _, number = arch.partition("_")
        digits = "".join(c for c in number if c.isdigit())
        if len(digits) < 2:
            continue
        compiled = (int(digits[:-1]), int(digits[-1]))
        if compiled <= (major, minor) and (kind == "compute" or compiled[0] == major):
            return True
    return not known


def cudnn(report, torch):
    try:
        version = torch.backends.cudnn.version()
    except Exception as error:
        report.add("cudnn", "cuDNN", "fail", first_line(error), "another cuDNN is loaded instead of that of torch: check LD_LIBRARY_PATH")
        return
    report.add("cudnn", "MIOpen" if rocm(torch) else "cuDNN", "ok" if version else "skipped", version or "not in this torch")


def bitsandbytes(report, torch):
    """Check the library that bitsandbytes loads, by its files: importing it prints pages."""
    spec = importlib.util.find_spec("bitsandbytes")
    if spec is None:
        report.add("bitsandbytes", "bitsandbytes", "skipped", "it is not installed")
        return
    try:
        version = metadata.version("bitsandbytes")
    except metadata.PackageNotFoundError:
        version = "unknown version"
    folder = list(spec.submodule_search_locations or [os.path.dirname(spec.origin or "")])[0]
    built = torch is not None and (torch.version.cuda or rocm(torch))
    if not built:
        report.add("bitsandbytes", "bitsandbytes", "skipped", "%s: not checked without a torch for CUDA or ROCm" % version)
        return
    platform_name, prefix = ("CUDA", "cuda") if torch.version.cuda else ("ROCm", "rocm")
    libraries = {}
    for file in glob.glob(os.path.join(glob.escape(folder), "libbitsandbytes_%s*.so" % prefix)):
        digits = os.path.basename(file)[len("libbitsandbytes_" + prefix):-len(".so")]
        if digits.isdigit():
            libraries[digits_to_version(digits, prefix)] = os.path.basename(file)
    names = ", ".join(libraries[v] for v in sorted(libraries)) or "none"
    takes_nearest = leading_numbers(version)[:2] >= NEAREST
    override = os.environ.get("BNB_%s_VERSION" % platform_name.upper())
    if override is not None and (takes_nearest or override and prefix == "cuda"):
        library = "libbitsandbytes_%s%s.so" % (prefix, override)
        if library in libraries.values():
            report.add("bitsandbytes", "bitsandbytes", "ok", "%s, %s" % (version, library))
        else:
            report.add("bitsandbytes", "bitsandbytes", "fail", "%s has no %s, only %s" % (version, library, names), "unset BNB_%s_VERSION" % platform_name.upper())
        return
    wanted = tuple(int(n) for n in built.split(".")[:2])
    chosen = wanted if wanted in libraries else None
    if chosen is None and takes_nearest:
        chosen = nearest(libraries, wanted)
    if chosen is None:
        report.add("bitsandbytes", "bitsandbytes", "fail", "%s has no library for %s %d.%d, only %s" % ((version, platform_name) + wanted + (names,)),
                   "pin a bitsandbytes that supports %s %d.%d" % ((platform_name,) + wanted))
    else:
        note = "" if chosen == wanted else ", the nearest to %s %d.%d" % ((platform_name,) + wanted)
        report.add("bitsandbytes", "bitsandbytes", "ok", "%s, %s%s" % (version, libraries[chosen], note))


def digits_to_version(digits, prefix):
    """Return (12, 1) for "121" of CUDA, and (7, 14) for "714" of ROCm, whose major version has one
    digit."""
    size = 2 if prefix == "cuda" else 1
    return int(digits[:size]), int(digits[size:] or 0)


def leading_numbers(version):
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def nearest(libraries, wanted):
    """Return the version that bitsandbytes takes instead of the wanted one: of the same major version
    the newest older one, else the oldest newer one; None if there is none."""
    same = [v for v in libraries if v[0] == wanted[0]]
    older = [v for v in same if v < wanted]
    return max(older) if older else min(same, default=None)


def diagnose():
    report = Report()
    python(report)
    driver(report)
    other_gpus(report)
    variables(report)
    torch = load_torch(report)
    if torch is not None:
        for i in range(cuda(report, torch)):
            device(report, torch, i)
        cudnn(report, torch)
    bitsandbytes(report, torch)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    sys.dont_write_bytecode = True
    faulthandler.dump_traceback_later(DEADLINE, exit=True, file=2)
    report = diagnose()
    faulthandler.cancel_dump_traceback_later()
    if options.json:
        report.print_json()
    else:
        report.print_text()
    return 1 if report.failed() else 0


if __name__ == "__main__":
    sys.exit(main())
