# Tests that an environment works. argv[1] is the request, in JSON. Each finished part is
# one line, written at once, so that no result is lost if a later part hangs or crashes:
#
#   {"Name": "cuda", "Outcome": "ok", "Detail": "NVIDIA H100, CUDA 12.1 of torch"}
#
# A line without an outcome names the stage that starts.
import faulthandler
import gc
import importlib
import json
import os
import sys
import traceback
import warnings

request = json.loads(sys.argv[1])
answers = os.dup(0)  # to the requests for bytecode
nothing = os.open(os.devnull, os.O_RDONLY)
os.dup2(nothing, 0)
os.close(nothing)
answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # output of modules goes to stderr
gc.disable()  # imports create no garbage; collecting takes an eighth of the time

MIN_FREE = 1 << 30  # bytes; a CUDA context alone takes half of it
SIDE = 64  # of the matrices: the block size of bitsandbytes

# Errors of CUDA if others use the GPU: out of memory, exclusive or prohibited mode. They
# do not depend on the environment.
BUSY = ("out of memory", "busy or unavailable", "CUBLAS_STATUS_ALLOC_FAILED", "cudaErrorDevicesUnavailable")


class Ended(Exception):
    """Ends a part with an outcome."""

    def __init__(self, outcome, detail, hint=""):
        super().__init__(detail)
        self.outcome, self.detail, self.hint = outcome, detail, hint


def write(**line):
    answer.write("\x1ereconcile-smoketest " + json.dumps(line) + "\n")
    answer.flush()


def stage(part, name):
    """Starts a stage with its own deadline. The watchdog is a C thread, which ends the
    process even if a library never releases the GIL."""
    write(Name=part, Stage=name)
    faulthandler.dump_traceback_later(request["Deadline"], exit=True, file=2)  # a module may have replaced sys.stderr


def last_line(error):
    """The last line of a traceback."""
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    return text.splitlines()[-1] if text else type(error).__name__


def first_line(error):
    """The first line of a CUDA error; advice on debugging kernels follows it."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def ask_for_bytecode():
    """Lets each import of a source without current bytecode ask for it, and use it."""
    import _imp
    import importlib._bootstrap_external as external
    import marshal
    import threading

    compile_here, lock, parent = external.SourceLoader.source_to_code, threading.Lock(), os.getpid()

    def source_to_code(self, data, path, *args, **options):
        if isinstance(path, str) and os.getpid() == parent:
            with lock:
                os.write(answer.fileno(), ("\x1ereconcile-bytecode " + json.dumps(path) + "\n").encode())
                written = os.read(answers, 1) == b"y"
            if written:
                try:
                    with open(external.cache_from_source(path), "rb") as file:
                        code = marshal.loads(memoryview(file.read())[16:])
                    _imp._fix_co_filename(code, path)
                    return code
                except (OSError, EOFError, ValueError, TypeError):
                    pass
        return compile_here(self, data, path, *args, **options)

    external.SourceLoader.source_to_code = source_to_code


def imports():
    """Imports the modules and writes the failures."""
    failures = []
    for module in request["Imports"]:
        try:
            importlib.import_module(module)
        except BaseException as error:
            failures.append({"Module": module, "Error": last_line(error)})
    write(Name="imports", Outcome="failed" if failures else "ok", Failures=failures)
    return not failures


def versions(text):
    """Major and minor of a version."""
    return tuple(int(n) for n in (text.split(".") + ["0"])[:2])


def built_for(torch):
    """The CUDA version of torch, and a note on that of the driver."""
    built = getattr(torch.version, "cuda", None)
    if not built:
        other = "ROCm" if getattr(torch.version, "hip", None) else "CPU only"
        raise Ended("failed", "torch %s is built for %s: torch.version.cuda is None" % (torch.__version__, other),
                    "pin a torch that is built for CUDA")
    if not request["Driver"]:
        return built, ""
    torch_cuda, driver_cuda = versions(built), versions(request["Driver"])
    if torch_cuda[0] > driver_cuda[0]:
        raise Ended("failed", "torch is built for CUDA %s, the driver offers %s" % (built, request["Driver"]),
                    "update the NVIDIA driver, or pin a torch that is built for CUDA %d" % driver_cuda[0])
    if torch_cuda > driver_cuda:
        return built, "torch is built for CUDA %s, the driver offers %s: that works by minor-version compatibility, with limits" % (built, request["Driver"])
    return built, ""


def unavailable(torch, caught):
    """Raises the reason why torch finds no GPU."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1", "NoDevFiles"):
        raise Ended("skipped", "CUDA_VISIBLE_DEVICES=%s hides every GPU" % visible)
    why = [str(w.message) for w in caught]
    try:
        torch.cuda.init()
    except Exception as error:
        why.append(first_line(error))
    text = why[-1] if why else "no reason is given"
    hint = "`reconcile doctor` checks the driver, its libraries and its device files"
    if visible is not None:
        hint = "CUDA_VISIBLE_DEVICES is %r: does that GPU exist? %s" % (visible, hint)
    raise Ended("failed", "torch.cuda.is_available() is False: " + text.splitlines()[0], hint)


def emptiest(torch):
    """The index of the visible GPU with the most free memory. The query creates a context,
    which takes memory of each GPU, so an unused one ends the search."""
    best, most, refused = None, -1, []
    for i in range(torch.cuda.device_count()):
        try:
            free, total = torch.cuda.mem_get_info(i)
        except Exception as error:
            refused.append(error)
            continue
        if free > most:
            best, most = i, free
        if free >= 0.9 * total:
            break
    if best is None:
        raise refused[0] if refused else RuntimeError("torch finds no GPU")
    if most < MIN_FREE:
        raise Ended("unknown", "the GPU is full: %d MiB are free, the smoke test takes up to %d" % (most >> 20, MIN_FREE >> 20),
                    "test it when the GPU has free memory: `reconcile doctor`")
    return best


def open_gpu(part, torch):
    """Returns the index of a GPU, its description and a note."""
    built, note = built_for(torch)
    stage(part, "initialisation of CUDA")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        unavailable(torch, caught)
    i = emptiest(torch)
    return i, "%s, torch for CUDA %s" % (torch.cuda.get_device_name(i), built), note


def cuda(torch, gpu):
    """A matrix product, compared with that of the CPU."""
    i, detail, note = gpu
    stage("cuda", "matrix product")
    torch.manual_seed(0)
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    device = torch.device("cuda", i)
    off = ((a.to(device) @ b.to(device)).cpu() - a @ b).abs().max().item()
    if not off < 1e-2:  # also true for NaN
        raise Ended("failed", "a matrix product on %s differs by %g from that of the CPU" % (torch.cuda.get_device_name(i), off),
                    "the GPU computes wrong results: check `nvidia-smi -q -d ECC` and dmesg")
    return detail, note


def qlora(torch, gpu):
    """A forward pass of one 4-bit layer, compared with the layer before it was quantised."""
    import bitsandbytes as bnb

    i, detail, note = gpu
    want = request["QLoRA"]
    stage("qlora", "4-bit layer")
    kind = getattr(torch, want["compute_dtype"])
    device = torch.device("cuda", i)
    torch.manual_seed(0)
    layer = bnb.nn.Linear4bit(SIDE, SIDE, bias=False, compute_dtype=kind,
                              compress_statistics=want["double_quant"], quant_type=want["quant_type"])
    weight, x = layer.weight.data.float(), torch.randn(SIDE, SIDE)
    native = want["compute_dtype"] != "bfloat16" or torch.cuda.get_device_capability(i)[0] >= 8
    slow = "bfloat16 needs compute capability 8.0, %s has %d.%d" % ((torch.cuda.get_device_name(i),) + tuple(torch.cuda.get_device_capability(i)))
    try:
        with torch.cuda.device(i), torch.no_grad():
            y = layer.to(device)(x.to(device).to(kind)).float().cpu()
    except Exception as error:
        if native or any(mark in str(error) for mark in BUSY):
            raise
        raise Ended("failed", "%s (%s)" % (slow, first_line(error)), "compute_dtype: float16 works on it")
    want_y = x @ weight.t()
    off = ((y - want_y).norm() / want_y.norm()).item()
    if not off < 0.3:  # 4 bits lose about a tenth; also true for NaN
        raise Ended("failed", "the result of a 4-bit layer is off by %.0f %%" % (100 * off),
                    "bitsandbytes %s does not work on %s" % (bnb.__version__, torch.cuda.get_device_name(i)))
    if not native:
        note = slow + ": it is emulated, and slow"
    return "%s, off by %.0f %%, as expected of 4 bits" % (detail, 100 * off), note


def mps():
    """A matrix product on the GPU of a Mac, compared with that of the CPU."""
    import torch

    stage("mps", "initialisation of MPS")
    backend = getattr(torch.backends, "mps", None)
    if backend is None or not backend.is_built():
        raise Ended("failed", "torch %s is built without MPS" % torch.__version__, "pin a torch for macOS on arm64, 1.12 or newer")
    if not backend.is_available():
        raise Ended("failed", "torch.backends.mps.is_available() is False", "update macOS: torch computes on the GPU from macOS 14 on, older releases of torch from 12.3 on; a virtual Mac may have no GPU")
    stage("mps", "matrix product")
    torch.manual_seed(0)
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    off = ((a.to("mps") @ b.to("mps")).cpu() - a @ b).abs().max().item()
    if not off < 1e-2:  # also true for NaN
        raise Ended("failed", "a matrix product on device mps differs by %g from that of the CPU" % off, "the GPU computes wrong results: update macOS, or pin another torch")
    return "a matrix product on device mps, torch %s" % torch.__version__, ""


def run(part, work):
    """Runs one part, writes its outcome and returns it."""
    outcome, note, hint = "ok", "", ""
    try:
        detail, note = work()
    except Ended as end:
        outcome, detail, hint = end.outcome, end.detail, end.hint
    except BaseException as error:
        text = first_line(error)
        busy = any(mark in str(error) for mark in BUSY)
        outcome, detail = ("unknown", "the GPU is busy or full: " + text) if busy else ("failed", type(error).__name__ + ": " + text)
        hint = "test it when the GPU is free: `reconcile doctor`" if busy else ""
    faulthandler.cancel_dump_traceback_later()
    write(Name=part, Outcome=outcome, Detail=detail, Note=note, Hint=hint)
    return outcome


def on_gpu():
    parts = [("cuda", cuda)] if request["CUDA"] else []
    parts += [("qlora", qlora)] if request["QLoRA"] else []
    gpu = None
    for n, (part, work) in enumerate(parts):
        def test(part=part, work=work):
            nonlocal gpu
            import torch

            gpu = gpu or open_gpu(part, torch)
            result = work(torch, gpu)
            gpu = gpu[:2] + ("",)  # the note is given once
            return result

        outcome = run(part, test)
        if outcome == "ok":
            continue
        for rest, _ in parts[n + 1:]:
            write(Name=rest, Outcome="skipped" if outcome == "failed" else outcome, Detail="as " + part if outcome != "failed" else part + " failed")
        return


if request["Bytecode"]:
    ask_for_bytecode()
if imports() or not request["Imports"]:
    if request["GPU"]:
        on_gpu()
    if request["MPS"]:
        run("mps", mps)
os._exit(0)  # without threads and exit handlers of modules
