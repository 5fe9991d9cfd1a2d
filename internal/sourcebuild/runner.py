# Calls one hook of a build backend (PEP 517, PEP 660). The argument is a file with the request;
# the response is written to a file that the request names. Before the backend is imported, the
# process gives up what a build does not need.
import ctypes
import importlib
import json
import os
import resource
import stat
import sys


def confine(request):
    """Restricts the process and its children by Landlock, where the kernel has it: files outside of
    request["writable"] cannot be changed, and files below request["home"] that no build needs
    cannot be read. https://docs.kernel.org/userspace-api/landlock.html"""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    create, add, restrict = 444, 445, 446  # the same numbers on all architectures
    version = libc.syscall(create, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    write_file, read_file, read_dir = 1 << 1, 1 << 2, 1 << 3
    change = write_file | sum(1 << bit for bit in range(4, 13))  # remove and make entries
    if version >= 2:
        change |= 1 << 13  # move between directories
    if version >= 3:
        change |= 1 << 14  # truncate
    read = read_file | read_dir
    of_files = write_file | read_file | 1 << 14
    handled = ctypes.c_uint64(change | read)
    rules = libc.syscall(create, ctypes.byref(handled), ctypes.c_size_t(8), ctypes.c_uint32(0))
    if rules < 0:
        return False

    class Beneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = [("access", ctypes.c_uint64), ("parent", ctypes.c_int32)]

    def allow(path, access):
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            access &= of_files
        rule = Beneath(access & handled.value, fd)
        libc.syscall(add, ctypes.c_int(rules), ctypes.c_int(1), ctypes.byref(rule), ctypes.c_uint32(0))
        os.close(fd)

    home = os.path.realpath(request["home"])
    at = home
    while at != "/":  # everything but the home directory and its parents
        parent = os.path.dirname(at)
        try:
            names = os.listdir(parent)
        except OSError:
            names = []
        for name in names:
            real = os.path.realpath(os.path.join(parent, name))
            if (home + "/").startswith(real + "/") or real.startswith(home + "/"):
                continue
            allow(os.path.join(parent, name), read)
        at = parent
    for path in [sys.prefix, sys.base_prefix, os.path.realpath(sys.executable)] + request["readable"]:
        allow(path, read)
    for path in request["writable"] + ["/dev", "/proc/self"]:
        allow(path, read | change)
    if libc.prctl(38, 1, 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS
        return False
    return libc.syscall(restrict, ctypes.c_int(rules), ctypes.c_uint32(0)) == 0


def drop_capabilities():
    """Keeps of the capabilities of root those for the owners and modes of files. With the others, the
    variables of all processes could be read, also under Landlock. capabilities(7), capset(2)"""
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    kept = range(5)  # CAP_CHOWN to CAP_FSETID
    for capability in range(5, 64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    mask = sum(1 << capability for capability in kept)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    data = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)  # effective, permitted, inheritable, twice
    libc.capset(header, data)


def limit(name, value):
    number = getattr(resource, name, None)
    if number is None:
        return
    _, hard = resource.getrlimit(number)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(number, (value, value))
    except (OSError, ValueError):
        pass


def limit_jobs():
    """Limits the processes of compilers to one for 4 GiB of memory: nvcc needs that for templates."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("MAX_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL"):
        os.environ[name] = str(max(1, min(int(os.environ[name]), memory >> 32)))


def find(request):
    """Returns the build backend, an object of a module."""
    sys.path[:0] = request["backend_path"]
    module, _, attribute = request["backend"].partition(":")
    backend = importlib.import_module(module)
    if request["backend_path"]:
        origin = os.path.realpath(getattr(backend, "__file__", None) or backend.__spec__.origin)
        if not any(origin.startswith(os.path.realpath(path) + os.sep) for path in request["backend_path"]):
            raise RuntimeError("the build backend %s is not in backend-path" % module)
    for name in filter(None, attribute.split(".")):
        backend = getattr(backend, name)
    return backend


def main():
    del sys.path[0]  # of this file
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    limit("RLIMIT_CORE", 0)
    limit("RLIMIT_FSIZE", request["file_size"])
    if request["processes"]:
        limit("RLIMIT_NPROC", request["processes"])
    limit_jobs()
    drop_capabilities()
    confine(request)
    response = {"missing": False, "value": None}
    backend = find(request)
    hook = getattr(backend, request["hook"], None)
    if hook is None:
        response["missing"] = True
    else:
        response["value"] = hook(*request["arguments"])
    with open(request["response"], "w", encoding="utf-8") as file:
        json.dump(response, file)


main()
