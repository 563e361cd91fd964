"""Locked packages installed by uv, from where the person's pip would get them."""

from __future__ import annotations

import os
import sys

import pytest
import uv

from chronos_training.control.publish import installer
from tests.integration.runtime_project import make_wheel

COMPANY = """
[global]
index-url = https://packages.example.com/simple
extra-index-url =
    https://one.example.com/simple
    https://two.example.com/simple
[install]
find-links = /opt/wheels
[download]
find-links = /not/for/an/installation
"""


@pytest.fixture
def pip_config(tmp_path, monkeypatch):
    """No settings but those of the file that this returns."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    path = tmp_path / "pip.conf"
    path.write_text(COMPANY)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    return path


def test_settings_are_those_of_an_installation(pip_config, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", "/mine")
    settings = installer.pip_settings(sys.executable)
    assert settings["index-url"] == "https://packages.example.com/simple"
    assert settings["extra-index-url"].split() == ["https://one.example.com/simple", "https://two.example.com/simple"]
    assert settings["find-links"] == "/mine"


def test_a_python_without_pip_has_none():
    assert installer.pip_settings("/bin/false") == {}


def test_what_pip_is_told_uv_is_told():
    words = installer.options({"find-links": "/a\n/b", "no-index": "true"})
    assert words[2:] == ["--no-index", "--find-links", "/a", "--find-links", "/b"]
    assert "--no-index" not in installer.options({"no-index": "false"})


def test_an_index_is_not_in_the_command_line(tmp_path, monkeypatch):
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)
    settings = {"index-url": "https://me:secret@a", "extra-index-url": "https://b\nhttps://c"}
    assert "secret" not in " ".join(installer.options(settings))
    variables = installer.environment(settings, tmp_path)
    assert variables["UV_DEFAULT_INDEX"] == "https://me:secret@a"
    assert variables["UV_INDEX"] == "https://b https://c"


def test_certificate_and_cache_are_named_unless_the_person_did(tmp_path, monkeypatch):
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/mine.pem")
    variables = installer.environment({"cert": "/company.pem", "proxy": "http://proxy:3128"}, tmp_path)
    assert variables["SSL_CERT_FILE"] == "/mine.pem"
    assert variables["ALL_PROXY"] == "http://proxy:3128"
    assert variables["UV_CACHE_DIR"] == str(tmp_path / "uv")


def install(tmp_path, *lines):
    (tmp_path / "wanted.txt").write_text("\n".join(lines) + "\n")
    words = ["--no-deps", "--target", str(tmp_path / "packages"), "--requirement", str(tmp_path / "wanted.txt")]
    installer.install(uv.find_uv_bin(), words, tmp_path, tmp_path / "log")


def test_a_wheel_of_the_persons_folder_is_installed(pip_config, tmp_path):
    digest = make_wheel(tmp_path / "wheels")
    pip_config.write_text(f"[global]\nno-index = true\nfind-links = {tmp_path / 'wheels'}\n")
    install(tmp_path, f"greeting==1.2 --hash=sha256:{digest}")
    assert (tmp_path / "packages/greeting/version.py").is_file()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("farewell==1.2", r"No solution found when resolving dependencies: Because farewell was not found .*\.$"),
        ("greeting==1.2 --hash=sha256:" + "0" * 64, r"Hash mismatch for `greeting==1.2` Expected: sha256:0000"),
    ],
)
def test_what_uv_says_is_one_sentence(pip_config, tmp_path, line, sentence):
    make_wheel(tmp_path / "wheels")
    pip_config.write_text(f"[global]\nno-index = true\nfind-links = {tmp_path / 'wheels'}\n")
    with pytest.raises(installer.InstallError, match=sentence) as refused:
        install(tmp_path, line)
    assert "\n" not in str(refused.value)


def test_an_index_that_does_not_answer_is_named(pip_config, tmp_path):
    pip_config.write_text("[global]\nindex-url = http://127.0.0.1:9/simple\nretries = 0\n")
    with pytest.raises(installer.InstallError, match=r"http://127\.0\.0\.1:9/simple/greeting/: Connection refused"):
        install(tmp_path, "greeting==1.2")
