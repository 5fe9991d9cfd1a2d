#!/usr/bin/env python3
"""Diagnose torch, CUDA and the GPUs.

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


def driver(report):
    """Run nvidia-smi, which asks the driver without torch."""
    program = shutil.which("nvidia-smi")
    if not program:
        report.add("driver", "NVIDIA driver", "unknown", "nvidia-smi is not on PATH", "install the NVIDIA driver; in a container, start it with --gpus all")
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


def cuda(report, torch):
    """Return the number of GPUs that torch can use."""
    built = torch.version.cuda
    if not built:
        hip = getattr(torch.version, "hip", None)
        report.add("torch.cuda", "CUDA of torch", "fail", "built for %s" % ("ROCm " + hip if hip else "the CPU only"), "install a torch that is built for CUDA")
        return 0
    report.add("torch.cuda", "CUDA of torch", "ok", built)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        why = [str(w.message) for w in caught]
        try:
            torch.cuda.init()
        except Exception as error:
            why.append(str(error))
        report.add("available", "torch.cuda.is_available()", "fail", "False: " + ((why[-1].strip().splitlines() or [""])[0] if why else "no reason given"),
                   "compare the CUDA version of torch with that of the driver (nvidia-smi); check /dev/nvidia*; in a container, start it with --gpus all")
        return 0
    count = torch.cuda.device_count()
    report.add("available", "torch.cuda.is_available()", "ok", "True, %d GPU%s" % (count, "" if count == 1 else "s"))
    return count


def device(report, torch, i):
    code, name = "device.%d" % i, "GPU %d" % i
    try:
        p = torch.cuda.get_device_properties(i)
    except Exception as error:
        report.add(code, name, "fail", first_line(error), "check nvidia-smi and dmesg")
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
    report.add("cudnn", "cuDNN", "ok" if version else "skipped", version or "not in this torch")


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
    libraries = sorted(os.path.basename(f) for f in glob.glob(os.path.join(glob.escape(folder), "libbitsandbytes_*.so")))
    cuda_version = os.environ.get("BNB_CUDA_VERSION") or (torch.version.cuda or "").replace(".", "") if torch else ""
    if not cuda_version:
        report.add("bitsandbytes", "bitsandbytes", "warn", "%s; it has no 4-bit layers without a torch for CUDA" % version, "install a torch that is built for CUDA")
        return
    library = "libbitsandbytes_cuda%s.so" % cuda_version
    if library in libraries:
        report.add("bitsandbytes", "bitsandbytes", "ok", "%s, %s" % (version, library))
    else:
        report.add("bitsandbytes", "bitsandbytes", "fail", "%s has no %s, only %s" % (version, library, ", ".join(libraries) or "none"),
                   "unset BNB_CUDA_VERSION" if os.environ.get("BNB_CUDA_VERSION") else "pin a bitsandbytes that supports CUDA %s" % torch.version.cuda)


def diagnose():
    report = Report()
    python(report)
    driver(report)
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
