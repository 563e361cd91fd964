"""The types of AWS clients are for mypy: every program starts without the stubs that define them."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT_STUBS = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].startswith(("mypy_boto3", "boto3_stubs", "botocore_stubs")):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
"""


@pytest.mark.parametrize("module", ["chronos_training.agent.pipeline", "chronos_training.control.launch.launch"])
def test_programs_do_not_need_the_stubs(module: str) -> None:
    code = f"{WITHOUT_STUBS}\nimport {module}, chronos_training.core.aws_types as types\nprint(types.S3Client)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "typing.Any"
