"""Preflight compares torch's own word on the instance with what was published: both must mean the build."""

from pathlib import Path

from chronos_training.control.publish.environment import torch_build


def test_the_build_is_in_the_version(tmp_path: Path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/version.py").write_text(
        "from typing import Optional\n\n__all__ = ['__version__']\n__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\n"
    )
    assert torch_build(tmp_path) == "2.13.0+cu130"


def test_without_torch_there_is_none(tmp_path: Path):
    assert torch_build(tmp_path) == ""
