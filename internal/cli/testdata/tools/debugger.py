"""Attaches to debugged.py as an editor does, and prints its output."""

import json
import socket
import subprocess
import sys

program = subprocess.Popen([sys.executable, "debugged.py"], stdout=subprocess.PIPE, text=True)
connection = socket.create_connection(("127.0.0.1", int(program.stdout.readline())), timeout=20)
stream = connection.makefile("rb")


def send(seq, command, arguments):
    body = json.dumps({"seq": seq, "type": "request", "command": command, "arguments": arguments}).encode()
    connection.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)


def await_event(name):
    while True:
        length = int(stream.readline().split(b":")[1])
        stream.readline()
        if json.loads(stream.read(length)).get("event") == name:
            return


try:
    send(1, "initialize", {"adapterID": "test"})
    send(2, "attach", {"name": "test"})
    await_event("initialized")
    send(3, "configurationDone", {})
    print(program.stdout.readline().strip())
finally:
    program.kill()
