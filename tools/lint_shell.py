"""shellcheck on the shell that the user data becomes: rendered by Ansible, every script and every `sh -c` of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).resolve().parents[1] / "roles/instance_user_data"
SAMPLE = {"run_id": "20260101-120000", "env": "dev", "poweroff_minutes": 735, "watch_seconds": 20}


def render() -> str:
    """Return the user data of a sample run."""
    init_plugin_loader()
    template = trust_as_template((ROLE / "templates/user_data.yaml.j2").read_text(encoding="utf-8"))
    variables = {"instance_user_data_run": SAMPLE, "ansible_search_path": [str(ROLE)]}
    return str(Templar(loader=DataLoader(), variables=variables).template(template))


def scripts(user_data: str) -> dict[str, str]:
    """Return the shell in `user_data`: where it is -> its text."""
    config = yaml.safe_load(user_data)
    found = {f["path"]: f["content"] for f in config["write_files"] if f["content"].startswith("#!/bin/sh")}
    for number, command in enumerate(config["runcmd"]):
        if command[:2] == ["sh", "-c"]:
            found[f"runcmd {number}"] = f"#!/bin/sh\n{command[2]}\n"
    return found


def main() -> int:
    """Check all of it; return the exit code."""
    failed = 0
    for name, text in scripts(render()).items():
        done = subprocess.run(["shellcheck", "-"], input=text, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            print(f"{name} of the user data:\n{done.stdout}{done.stderr}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
