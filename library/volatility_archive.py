#!/usr/bin/python
"""Ansible module: a Python file as an archive for Lambda."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_archive
short_description: Pack a Python file as the archive that a function is made from
description:
  - The same file makes the same bytes, so the function is not updated for nothing. It is packed in check mode as well; nothing of AWS changes.
options:
  source: {type: path, required: true, description: The Python file.}
  folder: {type: path, default: .cache/volatility, description: Where the archive goes.}
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Pack the notifier
  volatility_archive:
    source: "{{ role_path }}/files/notifier.py"
"""

RETURN = r"""
path: {type: str, returned: success, description: The archive. Its name tells its content.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.module import main
from chronos_training.control.volatility import archive

ARGUMENT_SPEC: dict[str, Any] = {
    "source": {"type": "path", "required": True},
    "folder": {"type": "path", "default": ".cache/volatility"},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Pack the file. Returns the archive's path; never changed, since it is a copy of what is here."""
    path = archive.pack(Path(params["source"]), Path(params["folder"]).absolute())
    return {"changed": False, "path": str(path)}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
