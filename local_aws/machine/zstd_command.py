"""zstd for machines that have none: compress and decompress files or streams, over the package `zstandard`.

The options that tar and the project's scripts use: -d -c -f -q -k -o FILE -T# --long=# --rm, levels -1 … -19.
Run as a file: `zstd_command.py NAME WORD…`.
"""

import contextlib
import os
import re
import sys


def main() -> int:
    import zstandard

    name, words = sys.argv[1], sys.argv[2:]
    decompress, to_stdout, remove, level, target, sources = name == "unzstd", False, False, 3, None, []
    while words:
        word = words.pop(0)
        if word == "-o":
            target = words.pop(0)
        elif re.fullmatch(r"-\d+", word):
            level = int(word[1:])
        elif word in ("--decompress", "--uncompress"):
            decompress = True
        elif word in ("--stdout",):
            to_stdout = True
        elif word == "--rm":
            remove = True
        elif re.fullmatch(r"-T\d+|--threads=\d+|--long(=\d+)?|--force|--quiet|--keep|--no-progress", word):
            pass
        elif re.fullmatch(r"-[dcfqk]+(T\d+)?", word):
            decompress = decompress or "d" in word
            to_stdout = to_stdout or "c" in word
        elif word.startswith("-") and word != "-":
            print(f"zstd: option {word} is not known to the embedded AWS", file=sys.stderr)
            return 1
        else:
            sources.append(word)
    for source in sources or ["-"]:
        if source == "-" or to_stdout:
            destination = target or "-"
        elif decompress:
            destination = target or source.removesuffix(".zst")
        else:
            destination = target or source + ".zst"
        with contextlib.ExitStack() as files:
            reader = sys.stdin.buffer if source == "-" else files.enter_context(open(source, "rb"))
            writer = sys.stdout.buffer if destination == "-" else files.enter_context(open(destination, "wb"))
            try:
                if decompress:
                    zstandard.ZstdDecompressor(max_window_size=2**31).copy_stream(reader, writer)
                else:
                    zstandard.ZstdCompressor(level=level, threads=-1).copy_stream(reader, writer)
            except zstandard.ZstdError as error:
                print(f"zstd: {source}: {error}", file=sys.stderr)
                return 1
            writer.flush()
        if remove and source != "-" and destination != "-":
            os.unlink(source)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, IndexError) as error:
        print(f"zstd: {error}", file=sys.stderr)
        sys.exit(1)
