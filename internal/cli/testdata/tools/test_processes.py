"""Every way to start another Python stays in the generation."""

import multiprocessing
import subprocess
import sys

import pytest


def prefix(_):
    return sys.prefix


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_pool(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert set(pool.map(prefix, range(4))) == {sys.prefix}


def test_subprocess():
    out = subprocess.check_output([sys.executable, "-c", "import sys; print(sys.prefix)"], text=True)
    assert out.strip() == sys.prefix
