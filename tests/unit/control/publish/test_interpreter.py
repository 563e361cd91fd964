"""Which interpreters are taken for an instance, and what is said of the others."""

import pytest

from chronos_training.control.publish import interpreter
from chronos_training.control.publish.runtime import build_target
from chronos_training.core.errors import ConfigurationError

ELF_X86_64 = b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00"


@pytest.fixture
def folder(tmp_path):
    """A folder laid out as a relocatable Python 3.11.13 for x86_64 Linux is."""
    for name in ("bin", "lib/python3.11", "include/python3.11"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin/python3.11").write_bytes(ELF_X86_64 + b"GLIBC_2.17\0GLIBC_2.28\0")
    (tmp_path / "lib/python3.11/os.py").touch()
    (tmp_path / "include/python3.11/patchlevel.h").write_text('#define PY_VERSION      \t"3.11.13"\n')
    return tmp_path


def test_judged_by_its_files(folder):
    found = interpreter.from_folder(folder)
    assert (found.version, found.series, found.platform, found.glibc) == ("3.11.13", "3.11", "linux-x86_64", "2.28")


def test_missing_folder(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no-such-folder does not exist\..*uv python install"):
        interpreter.from_folder(tmp_path / "no-such-folder")


def test_folder_without_python(tmp_path):
    with pytest.raises(ConfigurationError, match=r"holds no Python 3\.11, 3\.12, 3\.13"):
        interpreter.from_folder(tmp_path)


@pytest.mark.parametrize(
    "program", [b"\xcf\xfa\xed\xfe", b"#!/bin/sh\n", ELF_X86_64[:18] + b"\xb7\x00"], ids=["macos", "script", "arm64"]
)
def test_another_platform(folder, program):
    (folder / "bin/python3.11").write_bytes(program)
    with pytest.raises(ConfigurationError, match="not an x86_64 Linux program"):
        interpreter.from_folder(folder)


def test_too_new_glibc_in_the_library(folder):
    (folder / "lib/libpython3.11.so.1.0").write_bytes(b"GLIBC_2.38\0")
    with pytest.raises(ConfigurationError, match=r"needs glibc 2\.38, and the instances have 2\.35"):
        interpreter.from_folder(folder)


def test_unknown_patch_release(folder):
    (folder / "include/python3.11/patchlevel.h").unlink()
    with pytest.raises(ConfigurationError, match="does not say its exact Python version"):
        interpreter.from_folder(folder)


def test_this_machines_python_is_not_for_other_machines(tmp_path):
    with pytest.raises(
        ConfigurationError, match="'current', a copy of this machine's Python, but the target is linux-x86_64"
    ):
        build_target(tmp_path, chosen="current", target="linux-x86_64")


def test_no_interpreter_given(tmp_path):
    with pytest.raises(ConfigurationError, match="training_runtime_interpreter is not set"):
        build_target(tmp_path, chosen="", target="linux-x86_64")


def test_unknown_target(tmp_path):
    with pytest.raises(ConfigurationError, match="Unknown runtime target 'mars'"):
        build_target(tmp_path, chosen="current", target="mars")


def test_an_absolute_library_folder_becomes_a_relative_one(tmp_path):
    binary = tmp_path / "python"
    binary.write_bytes(b"x\0/opt/somewhere/lib\0y")
    interpreter._look_beside(binary, interpreter.Path("/opt/somewhere/lib"))
    assert binary.read_bytes() == b"x\0$ORIGIN/../lib\0\0\0\0\0y"


def test_a_short_or_ambiguous_library_folder_stays(tmp_path):
    binary = tmp_path / "python"
    for content, folder in (
        (b"x\0/lib\0", "/lib"),
        (b"\0/opt/somewhere/lib\0/opt/somewhere/lib\0", "/opt/somewhere/lib"),
    ):
        binary.write_bytes(content)
        interpreter._look_beside(binary, interpreter.Path(folder))
        assert binary.read_bytes() == content
