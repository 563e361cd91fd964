"""What set-up says about a machine that does not serve, and when it does nothing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BASE_PYTHON = Path(sys._base_executable)


@pytest.fixture
def checkout(tmp_path):
    """A copy of what set-up reads, in a folder with a space in its name, and an empty PATH beside it."""
    project = tmp_path / "a checkout"
    shutil.copytree(ROOT / "tools", project / "tools")
    package = "training/src/chronos_training/"
    (project / package / "control/publish").mkdir(parents=True)
    modules = [f"{package}{name}.py" for name in ("__init__", "control/publish/__init__", "control/publish/installer")]
    for name in ("poetry.lock", "training/pyproject.toml", *modules):
        shutil.copy(ROOT / name, project / name)
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "mkdir"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    return project


def fake_python(folder, name, version, *, venv=True):
    """A program that answers set-up's two questions as that Python would."""
    script = folder / name
    script.write_text(f'#!/bin/sh\ncase "$3" in *venv*) exit {0 if venv else 1} ;; *) echo {version} ;; esac\n')
    script.chmod(0o755)
    return script


def set_up(checkout, **variables):
    env = {"PATH": str(checkout.parent / "bin"), **variables}
    command = ["sh", str(checkout / "tools/setup.sh")]
    return subprocess.run(command, env=env, capture_output=True, text=True, executable=shutil.which("sh"))


def indexes():
    """The variables that say where this machine's pip finds packages, and uv its cache."""
    chosen = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "XDG_", "UV_"))}
    return {"UV_CACHE_DIR": str(ROOT / ".cache/uv"), "PIP_CACHE_DIR": str(ROOT / ".cache/pip"), **chosen}


def sentence(result):
    assert result.returncode == 1
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_no_python_at_all(checkout):
    said = sentence(set_up(checkout))
    assert said.startswith("Set-up stopped: Python 3.11, 3.12 or 3.13 is needed and none was found:")
    assert "apt-get install" in said


def test_only_an_old_python_is_named(checkout):
    fake_python(checkout.parent / "bin", "python3", "3.9")
    assert "none was found (python3 is 3.9)" in sentence(set_up(checkout))


def test_python_without_venv_names_the_package(checkout):
    fake_python(checkout.parent / "bin", "python3.12", "3.12", venv=False)
    said = sentence(set_up(checkout))
    assert said.startswith("Set-up stopped: Python 3.12 is here without its venv module: ")
    assert "apt-get install python3.12-venv" in said


def test_the_chosen_python_is_too_new(checkout):
    new = fake_python(checkout.parent, "python", "3.14")
    assert f"PYTHON={new} is Python 3.14, and" in sentence(set_up(checkout, PYTHON=str(new)))


def test_the_chosen_python_does_not_start(checkout):
    assert "PYTHON=/nowhere/python does not start" in sentence(set_up(checkout, PYTHON="/nowhere/python"))


def test_a_shim_that_refuses_to_start_is_passed_over(checkout):
    shim = checkout.parent / "bin" / "python3.11"
    shim.write_text("#!/bin/sh\necho 'no such version' >&2\nexit 127\n")
    shim.chmod(0o755)
    fake_python(checkout.parent / "bin", "python3.12", "3.12", venv=False)
    assert "Python 3.12 is here without" in sentence(set_up(checkout))


def test_a_package_that_cannot_be_had_is_one_sentence_and_leaves_no_stamp(checkout):
    variables = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    result = set_up(checkout, PYTHON=str(BASE_PYTHON), **variables)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (said,) = result.stderr.strip().splitlines()
    assert said.startswith("Set-up stopped: could not install uv. pip said: ")
    assert said.endswith("The whole output is in .cache/setup.log.")
    assert not (checkout / ".venv/.chronos-setup").exists()


def test_a_package_that_is_not_the_locked_one_is_one_sentence(checkout):
    lock = (checkout / "poetry.lock").read_text()
    (checkout / "poetry.lock").write_text(re.sub(r'(file = "jinja2[^}]* hash = "sha256:)\w{8}', r"\g<1>00000000", lock))
    result = set_up(checkout, PYTHON=str(BASE_PYTHON), HOME=str(checkout), **indexes())
    assert result.returncode == 1
    (said,) = result.stderr.strip().splitlines()
    assert said.startswith("Set-up stopped: could not install the controller's packages. uv said: ")
    assert "jinja2" in said
    assert not (checkout / ".venv/.chronos-setup").exists()


def test_the_stamp_holds_for_this_lock_this_python_and_this_folder(checkout):
    python = checkout / ".venv/bin/python"
    subprocess.run([BASE_PYTHON, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    check = [str(python), "-I", "-S", str(checkout / "tools/setup.py"), "--check"]
    assert subprocess.run(check).returncode == 1
    write = "import setup, platform; setup.STAMP.write_text(setup.stamp(platform.python_version()))"
    subprocess.run([str(python), "-c", write], check=True, env={"PYTHONPATH": str(checkout / "tools")})
    assert subprocess.run(check).returncode == 0
    # Complete: not a word, not a change.
    again = set_up(checkout)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    lock = checkout / "poetry.lock"
    lock.write_text(lock.read_text() + "\n")
    assert subprocess.run(check).returncode == 1


def test_output_that_cannot_be_written_ends_it_with_a_sentence(checkout):
    env = {"PATH": str(checkout.parent / "bin"), "PYTHON": str(BASE_PYTHON)}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            ["sh", str(checkout / "tools/setup.sh")],
            env=env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            executable=shutil.which("sh"),
        )
    assert (done.returncode, done.stderr) == (
        1,
        "Set-up stopped: the output could not be written: No space left on device.\n",
    )
