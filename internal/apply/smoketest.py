# Shows that an environment works. argv[1] says in JSON what is to be shown; each
# part that has ended is a line of its own, written at once, so that a part that
# hangs or dies takes no earlier answer with it:
#
#   {"Name": "cuda", "Outcome": "ok", "Detail": "NVIDIA H100, CUDA 12.1 of torch"}
#
# A line without an outcome says what a part is about to do, for whoever has to tell
# what it was that did not end.
import faulthandler
import gc
import importlib
import json
import os
import sys
import traceback
import warnings

asked = json.loads(sys.argv[1])
answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # what a module prints is not taken for the answer
gc.disable()  # importing frees nothing; looking for that takes an eighth of the time

LEAST = 1 << 30  # bytes that must be free; a CUDA context takes half of that by itself
SIDE = 64  # of the matrices: bitsandbytes takes blocks of 64 numbers

# What CUDA says of a GPU that others use: out of memory, exclusive mode with somebody
# on it, prohibited. None of it says anything about this environment.
BUSY = ("out of memory", "busy or unavailable", "CUBLAS_STATUS_ALLOC_FAILED", "cudaErrorDevicesUnavailable")


class Ended(Exception):
    """The outcome of a part before its end."""

    def __init__(self, outcome, detail, hint=""):
        super().__init__(detail)
        self.outcome, self.detail, self.hint = outcome, detail, hint


def write(**line):
    answer.write("\x1ereconcile-prove " + json.dumps(line) + "\n")
    answer.flush()


def doing(part, what):
    """Says what begins, which has the deadline for itself. The watchdog is a thread of
    C: it ends the process even where a library holds Python's lock for ever."""
    write(Name=part, Doing=what)
    faulthandler.dump_traceback_later(asked["Deadline"], exit=True, file=2)  # a module may have replaced sys.stderr


def said(error):
    """An error as one line, as a traceback ends."""
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    return text.splitlines()[-1] if text else type(error).__name__


def first(error):
    """The first line of what CUDA says; advice for those who debug kernels follows it."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def imports():
    """Imports the modules and writes which failed."""
    failures = []
    for module in asked["Imports"]:
        try:
            importlib.import_module(module)
        except BaseException as error:
            failures.append({"Module": module, "Error": said(error)})
    write(Name="imports", Outcome="failed" if failures else "ok", Failures=failures)
    return not failures


def versions(text):
    """Major and minor of a version."""
    return tuple(int(n) for n in (text.split(".") + ["0"])[:2])


def built_for(torch):
    """The CUDA that torch was built for, and a remark on that of the driver."""
    built = getattr(torch.version, "cuda", None)
    if not built:
        other = "ROCm" if getattr(torch.version, "hip", None) else "the CPU alone"
        raise Ended("failed", "torch %s is built for %s: torch.version.cuda is None" % (torch.__version__, other),
                    "pin a torch that is built for CUDA")
    if not asked["Driver"]:
        return built, ""
    mine, theirs = versions(built), versions(asked["Driver"])
    if mine[0] > theirs[0]:
        raise Ended("failed", "torch is built for CUDA %s, the driver offers %s" % (built, asked["Driver"]),
                    "update the NVIDIA driver, or pin a torch that is built for CUDA %d" % theirs[0])
    if mine > theirs:
        return built, "torch is built for CUDA %s, the driver offers %s: that works by minor-version compatibility, with limits" % (built, asked["Driver"])
    return built, ""


def unavailable(torch, caught):
    """Why torch sees no GPU though there is one."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1", "NoDevFiles"):
        raise Ended("skipped", "CUDA_VISIBLE_DEVICES=%s hides every GPU" % visible)
    why = [str(w.message) for w in caught]
    try:
        torch.cuda.init()
    except Exception as error:
        why.append(first(error))
    text = why[-1] if why else "it gives no reason"
    hint = "`reconcile doctor` looks at the driver, its libraries and its device files"
    if visible is not None:
        hint = "CUDA_VISIBLE_DEVICES is %r: is there such a GPU? %s" % (visible, hint)
    raise Ended("failed", "torch.cuda.is_available() is False: " + text.splitlines()[0], hint)


def emptiest(torch):
    """The visible GPU with the most free memory. Asking opens a context, which takes
    memory of each, so one that nobody uses ends the search."""
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
        raise refused[0] if refused else RuntimeError("torch counts no GPU")
    if most < LEAST:
        raise Ended("unknown", "the GPU is full: %d MiB are free, the proof takes up to %d" % (most >> 20, LEAST >> 20),
                    "prove it when the GPU has room: `reconcile doctor`")
    return best


def open_gpu(part, torch):
    """Returns a GPU to work on, and what there is to say of it."""
    built, note = built_for(torch)
    doing(part, "initialisation of CUDA")
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
    doing("cuda", "matrix product")
    torch.manual_seed(0)
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    device = torch.device("cuda", i)
    there, here = (a.to(device) @ b.to(device)).cpu(), a @ b
    off = (there - here).abs().max().item()
    if not off < 1e-2:  # not a number is not smaller either
        raise Ended("failed", "a matrix product on %s differs by %g from that of the CPU" % (torch.cuda.get_device_name(i), off),
                    "the GPU computes wrongly: look at `nvidia-smi -q -d ECC` and dmesg")
    return detail, note


def qlora(torch, gpu):
    """A forward pass of one 4-bit layer, compared with the layer before it was quantised."""
    import bitsandbytes as bnb

    i, detail, note = gpu
    want = asked["QLoRA"]
    doing("qlora", "4-bit layer")
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
        raise Ended("failed", "%s (%s)" % (slow, first(error)), "compute_dtype: float16 works on it")
    want_y = x @ weight.t()
    off = ((y - want_y).norm() / want_y.norm()).item()
    if not off < 0.3:  # 4 bits lose about a tenth; not a number is not smaller
        raise Ended("failed", "a 4-bit layer gives a result that is off by %.0f %%" % (100 * off),
                    "bitsandbytes %s does not work on %s" % (bnb.__version__, torch.cuda.get_device_name(i)))
    if not native:
        note = slow + ": it is emulated, and slow"
    return "%s, off by %.0f %% as 4 bits are" % (detail, 100 * off), note


def run(part, work):
    """Runs one part and writes its outcome, which it returns."""
    outcome, note, hint = "ok", "", ""
    try:
        detail, note = work()
    except Ended as end:
        outcome, detail, hint = end.outcome, end.detail, end.hint
    except BaseException as error:
        text = first(error)
        busy = any(mark in str(error) for mark in BUSY)
        outcome, detail = ("unknown", "the GPU is busy or full: " + text) if busy else ("failed", type(error).__name__ + ": " + text)
        hint = "prove it when the GPU is free: `reconcile doctor`" if busy else ""
    faulthandler.cancel_dump_traceback_later()
    write(Name=part, Outcome=outcome, Detail=detail, Note=note, Hint=hint)
    return outcome


def on_gpu():
    parts = [("cuda", cuda)] if asked["CUDA"] else []
    parts += [("qlora", qlora)] if asked["QLoRA"] else []
    gpu = None
    for n, (part, work) in enumerate(parts):
        def whole(part=part, work=work):
            nonlocal gpu
            import torch

            gpu = gpu or open_gpu(part, torch)
            shown = work(torch, gpu)
            gpu = gpu[:2] + ("",)  # the remark is made once
            return shown

        outcome = run(part, whole)
        if outcome == "ok":
            continue
        for rest, _ in parts[n + 1:]:
            write(Name=rest, Outcome="skipped" if outcome == "failed" else outcome, Detail="as " + part if outcome != "failed" else part + " failed")
        return


if (imports() or not asked["Imports"]) and asked["GPU"]:
    on_gpu()
os._exit(0)  # threads and exit handlers of modules are not part of the proof
