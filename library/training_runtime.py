#!/usr/bin/python
"""Ansible module: publish the Python environment and the agent package that instances run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_runtime
short_description: Publish the Python environment and the agent package to the environment's bucket
description:
  - Builds the training environment from C(training/poetry.lock) (interpreter, packages, compiled modules), packs it as an
    image and uploads it under its sha256, together with the agent package.
  - Nothing is built or uploaded when the bucket already holds what the lock, the interpreter and the sources say.
  - The pointers C(current.json) are written last, so an interrupted publication changes nothing for the next run.
options:
  project_dir:
    description: The checkout. Builds are kept in C(.cache/runtime) below it.
    type: path
    required: true
  target:
    description: Where the environment will run.
    type: str
    choices: [this_machine, linux-x86_64]
    default: linux-x86_64
  interpreter:
    description:
      - C(current), a copy of the Python that runs this playbook, for I(target=this_machine) only.
      - Otherwise the folder of a relocatable Python for x86_64 Linux.
    type: str
    default: ""
  torch:
    description:
      - The build of torch for target C(linux-x86_64). C(cuda) is the one of the lock. C(cpu), for instances without a GPU,
        is 2 GB smaller; it is in a separate package index, which pip has to know (C(PIP_EXTRA_INDEX_URL)).
      - For C(this_machine) it is the build that the person's pip settings lead to.
    type: str
    choices: [cuda, cpu]
    default: cuda
  kind:
    description:
      - C(chronos) for the Chronos families. C(autogluon) holds AutoGluon too, is twice the size, and is published beside it.
    type: str
    choices: [chronos, autogluon]
    default: chronos
  archive:
    description:
      - Publish the environment as an archive too, for instances that cannot mount an image. Where no image can be made, the
        archive is published anyway.
    type: bool
    default: false
extends_documentation_fragment: [training.environment, training.publisher]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Publish for real instances, with a Python from `uv python install`
  training_runtime:
    env: dev
    region: us-east-1
    project_dir: "{{ playbook_dir | dirname }}"
    interpreter: ~/pythons/cpython-3.11-linux-x86_64-gnu

- name: Publish for the embedded AWS, whose instances are processes of this machine
  training_runtime:
    env: local
    region: us-east-1
    project_dir: "{{ playbook_dir | dirname }}"
    target: this_machine
    interpreter: current
"""

RETURN = r"""
environment:
  description:
    - The content of C(runtime/python-env/current.json), or of C(autogluon.json) beside it; only C(build_id) when a check mode
      run would build it.
  type: dict
  returned: success
  sample:
    schema_version: 1
    sha256: 9c1f0e
    key: runtime/python-env/9c1f0e/env.sqfs
    size: 343163897
    image: {sha256: 9c1f0e, size: 343163897, key: runtime/python-env/9c1f0e/env.sqfs}
    archive: null
    unpacked_size: 1270000000
    build_id: d35c8f
    kind: chronos
    python: 3.11.13
    platform: linux-x86_64
    torch: 2.13.0
    created_at: "2026-05-02T09:30:11Z"
    packages: {torch: 2.13.0}
package:
  description: The content of C(runtime/packages/current.json).
  type: dict
  returned: success
  sample:
    schema_version: 1
    sha256: 77ab10
    key: runtime/packages/77ab10/chronos-training-agent.tar.gz
    size: 2678578
    version: 0.1.0
    git_commit: 5a0c2f
    created_at: "2026-05-02T09:30:12Z"
messages:
  description: What was done, with sizes and seconds.
  type: list
  elements: str
  returned: success
  sample: ["agent package: already published (2.7 MB)"]
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import ENVIRONMENT, PUBLISHER
from chronos_training.ansible.module import main
from chronos_training.control.options.settings import resolve_settings
from chronos_training.control.publish.runtime import Request, publish_runtime
from chronos_training.control.registry import audit

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    **PUBLISHER,
    "project_dir": {"type": "path", "required": True},
    "target": {"type": "str", "choices": ["this_machine", "linux-x86_64"], "default": "linux-x86_64"},
    "interpreter": {"type": "str", "default": ""},
    "torch": {"type": "str", "choices": ["cuda", "cpu"], "default": "cuda"},
    "kind": {"type": "str", "choices": ["chronos", "autogluon"], "default": "chronos"},
    "archive": {"type": "bool", "default": False},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Publish what the bucket does not have; see RETURN."""
    request = Request(
        bucket=params["bucket"] or resolve_settings(params["env"], region=params["region"]).bucket,
        project=Path(params["project_dir"]),
        region=params["region"],
        interpreter=params["interpreter"],
        target=params["target"],
        torch=params["torch"],
        kind=params["kind"],
        archive=params["archive"],
    )
    result = publish_runtime(request, check_mode=check_mode, emit=emit)
    if result["changed"] and not check_mode:
        about = {
            "object": f"runtime {request.kind}",
            "digest": result["environment"]["sha256"],
            "package": result["package"]["sha256"],
        }
        log = audit.Log(request.bucket, params["env"], request.region, emit)
        audit.record(log, audit.PUBLISH, audit.Entry(details=about, caller=params["caller"]))
    return result


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
