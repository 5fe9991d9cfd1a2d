"""A fake torch with the functions of the smoke test, on lists. case.json in the same
folder describes the machine."""
import contextlib
import json
import os
import random
import time
import warnings

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "case.json")) as f:
    case = json.load(f)

__version__ = "2.1.2+fake"
bfloat16, float16, float32 = "bfloat16", "float16", "float32"


def at(stage):
    """Behaves at a stage as in case.json; by default it returns."""
    what = case.get(stage, "")
    if what == "hang":
        time.sleep(3600)
    elif what == "die":
        os.kill(os.getpid(), 11)
    elif what == "exit":
        os._exit(0)
    elif what:
        raise RuntimeError(what)


class version:
    cuda = case.get("cuda", "12.1")
    hip = None


class backends:
    class mps:
        @staticmethod
        def is_built():
            return case.get("mps") != "absent"

        @staticmethod
        def is_available():
            return "mps" not in case


class cuda:
    @staticmethod
    def is_available():
        at("available")
        if case.get("warns"):
            warnings.warn(case["warns"])
        return case.get("devices", 1) > 0

    @staticmethod
    def init():
        raise RuntimeError(case.get("init", "No CUDA GPUs are available"))

    @staticmethod
    def device_count():
        return case.get("devices", 1)

    @staticmethod
    def mem_get_info(i):
        at("context")
        free = case.get("free", [80 << 30])[i]
        if free < 0:
            raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported")
        return free, 80 << 30

    @staticmethod
    def get_device_name(i):
        return "fake GPU %d" % i

    @staticmethod
    def get_device_capability(i):
        return tuple(case.get("capability", (9, 0)))

    @staticmethod
    def device(i):
        return contextlib.nullcontext()


def device(kind, i):
    return "%s:%d" % (kind, i)


def no_grad():
    return contextlib.nullcontext()


def manual_seed(seed):
    random.seed(seed)


class Tensor:
    def __init__(self, rows):
        self.rows = rows
        self.data = self

    def to(self, where):
        if str(where).startswith(("cuda", "mps")):
            at("copy")
        return self

    def float(self):
        return self

    def cpu(self):
        return Tensor([[x + case.get("wrong", 0) for x in row] for row in self.rows])

    def t(self):
        return Tensor([list(column) for column in zip(*self.rows)])

    def __matmul__(self, other):
        columns = list(zip(*other.rows))
        return Tensor([[sum(a * b for a, b in zip(row, column)) for column in columns] for row in self.rows])

    def __sub__(self, other):
        return Tensor([[a - b for a, b in zip(x, y)] for x, y in zip(self.rows, other.rows)])

    def __truediv__(self, number):
        return number_(self.value / number.value)

    def abs(self):
        return Tensor([[abs(x) for x in row] for row in self.rows])

    def max(self):
        return number_(max(x for row in self.rows for x in row))

    def norm(self):
        return number_(sum(x * x for row in self.rows for x in row) ** 0.5)


class number_:
    def __init__(self, value):
        self.value = value

    def __truediv__(self, other):
        return number_(self.value / other.value)

    def item(self):
        return self.value


def randn(rows, columns):
    return Tensor([[random.gauss(0, 1) for _ in range(columns)] for _ in range(rows)])
