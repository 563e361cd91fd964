"""One connection of a virtual machine: copies its standard streams to a port of this computer, and back.

qemu runs it for each connection, as a file and without packages, so that it starts quickly: `copier.py PORT`.
"""

import os
import socket
import sys
import threading

CHUNK = 256 * 1024  # bytes


def main() -> None:
    server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))

    def send() -> None:
        copy(0, server.fileno())
        server.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, daemon=True).start()
    copy(server.fileno(), 1)


def copy(source: int, target: int) -> None:
    """Until the end of `source`, or until nobody reads `target` any more."""
    try:
        while data := os.read(source, CHUNK):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(target, rest) :]
    except OSError:
        pass


if __name__ == "__main__":
    main()
