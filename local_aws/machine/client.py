"""The shims' client: passes its words to the machine's manager, prints the answer, exits with its code.

Run by the bare interpreter with -IS as a file, so it uses the standard library only: `client.py SOCKET NAME WORD…`.
"""

import json
import socket
import sys


def main() -> int:
    path, words = sys.argv[1], sys.argv[2:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(path)
            connection.sendall(json.dumps({"words": words}).encode() + b"\n")
            answer = connection.makefile("rb").readline()
    except OSError as error:
        print(f"{words[0]}: the machine's manager does not answer: {error}", file=sys.stderr)
        return 1
    if not answer:  # the machine went down while the command waited
        return 1
    code, output, errors = json.loads(answer)
    sys.stdout.write(output)
    sys.stderr.write(errors)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
