"""Waits for a debugger, then prints sys.prefix."""

import sys

import debugpy

print(debugpy.listen(("127.0.0.1", 0))[1], flush=True)
debugpy.wait_for_client()
print(sys.prefix, flush=True)
