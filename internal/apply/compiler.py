# Writes bytecode without running code of an environment: -I and -S leave out its packages.
# Each line of stdin is a request in JSON: [source, bytecode, file name in tracebacks]. Each
# has an answer: [whether the bytecode was written, the error of the file system or ""].
import gc
import importlib._bootstrap_external as external
import json
import os
import sys

gc.disable()


def write(source, target, name):
    """Writes the bytecode of one source."""
    st = os.stat(source)
    loader = external.SourceFileLoader("compiled", source)
    code = loader.source_to_code(loader.get_data(source), name)
    pyc = external._code_to_timestamp_pyc(code, int(st.st_mtime), st.st_size & 0xFFFFFFFF)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    temporary = "%s.%s" % (target, os.urandom(6).hex())  # Python adds a number
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        with os.fdopen(file, "wb") as f:
            f.write(pyc)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


for line in sys.stdin.buffer:
    answer = [True, ""]
    try:
        write(*json.loads(line))
    except OSError as error:
        answer = [False, str(error)]
    except (Exception, MemoryError):
        answer = [False, ""]  # not valid for this Python
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
