"""An image handed to docker as the archive that `docker load` reads: it needs no password of the registry then."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import IO

from local_aws.containers.oci import Image, ImageError


def loaded(image: Image, folder: Path) -> str:
    """Return docker's name of the image, loaded now unless that was done. ImageError."""
    digest = image.digest.removeprefix("sha256:")
    name = f"local-aws/image:{digest[:24]}"
    done = folder / digest  # its being there also says that docker is used here
    if done.exists() and subprocess.run(["docker", "image", "inspect", name], capture_output=True).returncode == 0:
        return name
    folder.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["docker", "load"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as loading:
        assert loading.stdin is not None
        write(image, name, loading.stdin)
        loading.stdin.close()
    if loading.returncode:
        raise ImageError(f"docker load ended with exit code {loading.returncode}")
    done.touch()
    return name


def write(image: Image, name: str, output: IO[bytes]) -> None:
    """Write the archive."""
    files = [f"{place}.tar" for place, _ in enumerate(image.layers)]
    described = [{"Config": "config.json", "RepoTags": [name], "Layers": files}]
    with tarfile.open(mode="w|", fileobj=output, dereference=True) as archive:
        for file, data in (("config.json", image.config), ("manifest.json", described)):
            text = json.dumps(data).encode()
            member = tarfile.TarInfo(file)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
        for file, layer in zip(files, image.layers, strict=True):
            archive.add(layer, file)
