"""Starts a Jupyter kernel by its name and prints the sys.prefix of the kernel."""

import sys

from jupyter_client.manager import KernelManager

manager = KernelManager(kernel_name=sys.argv[1])
manager.start_kernel()
try:
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    client.execute("import sys; print(sys.prefix)")
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "stream":
            print(message["content"]["text"].strip())
            break
finally:
    manager.shutdown_kernel(now=True)
