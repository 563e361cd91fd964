"""Which glibc an environment needs is read from its files: real programs and libraries of this machine."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chronos_training.control.publish import glibc
from chronos_training.core.errors import ConfigurationError

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or shutil.which("objdump") is None, reason="needs glibc and objdump (binutils)"
)


@pytest.fixture
def environment(tmp_path):
    """A folder with this machine's Python in it, a text file and a link."""
    (tmp_path / "bin").mkdir()
    shutil.copyfile(Path(sys.executable).resolve(), tmp_path / "bin/python3")
    (tmp_path / "bin/script").write_text("#!/bin/sh\n")
    (tmp_path / "bin/python").symlink_to("python3")
    return tmp_path


def by_objdump(path: Path) -> tuple[int, int]:
    said = subprocess.run(["objdump", "-p", str(path)], capture_output=True, text=True, check=True).stdout
    found = {word for word in said.split() if word.startswith("GLIBC_2.")}
    return max(tuple(map(int, word.removeprefix("GLIBC_").split(".")[:2])) for word in found)


def test_the_newest_is_found_and_the_file_named(environment):
    version, path = glibc.newest_needed(environment)
    assert (version, path) == (by_objdump(path), environment / "bin/python3")
    assert glibc.check(environment, (2, 99)) == f"{version[0]}.{version[1]}"


def test_a_newer_one_than_the_instances_have_is_refused(environment):
    major, minor = by_objdump(environment / "bin/python3")
    with pytest.raises(ConfigurationError, match=rf"bin/python3 in the environment needs glibc {major}\.{minor}, and "):
        glibc.check(environment, (2, minor - 1))


def test_what_needs_none_is_passed_over(tmp_path):
    (tmp_path / "broken.so").write_bytes(b"\x7fELF" + bytes(8))
    (tmp_path / "data").write_bytes(b"GLIBC_2.99")
    assert glibc.check(tmp_path, (2, 17)) == ""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_packed_relocations_need_the_glibc_that_knows_them(tmp_path):
    (tmp_path / "a.c").write_text("static int v; int *p[] = {&v, &v, &v};\n")
    library = tmp_path / "packed.so"
    packed = ["-Wl,-z,pack-relative-relocs", "-Wl,--no-as-needed"]
    subprocess.run(["gcc", "-shared", "-fPIC", *packed, "-o", library, tmp_path / "a.c", "-lc"], check=True)
    asked = subprocess.run(["objdump", "-p", library], capture_output=True, text=True, check=True).stdout
    if "GLIBC_ABI_DT_RELR" not in asked:
        pytest.skip("this linker or glibc does not know packed relocations")
    with pytest.raises(ConfigurationError, match=r"packed\.so in the environment needs glibc 2\.36"):
        glibc.check(tmp_path, (2, 35))
