#!/usr/bin/python
"""Ansible module: publish pretrained weights that runs start from."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_model
short_description: Publish pretrained weights to the environment's bucket
description:
  - Checks the folder of a Chronos model (T5, Bolt or Chronos-2) and uploads it below C(runtime/models/<name>/<digest>/), then
    points C(runtime/models/<name>/current.json) at it.
  - Weights in safetensors only. A pickle can run arbitrary code on the instance that loads it.
  - Nothing is uploaded when the bucket holds the same files. Earlier publications stay for the runs that use them.
options:
  name:
    description: The name that a configuration's C(model.base) gives. Lower-case letters, digits, C(.), C(_) and C(-).
    type: str
    required: true
  source:
    description:
      - The folder of a model, as C(save_pretrained) writes it, such as C(models/<name>) of a fetched run.
      - Or C(hub:owner/name), a model on the Hugging Face hub. It is fetched to this machine's cache of the hub; instances
        never ask the hub.
    type: str
    required: true
  revision:
    description: Branch, tag or commit of a model of the hub. Empty means its main branch. The commit is recorded.
    type: str
    default: ""
extends_documentation_fragment: [training.environment, training.publisher]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Publish upstream's weights
  training_model:
    env: dev
    region: us-east-1
    name: chronos-2
    source: hub:amazon/chronos-2

- name: Publish what an earlier run has trained
  training_model:
    env: local
    name: births
    source: results/local/20261125-132721/models/birthdays-tiny-cpu
"""

RETURN = r"""
model:
  description: What is published now, as its current.json says (predicted in check mode).
  type: dict
  returned: success
  sample:
    name: chronos-2
    family: chronos2
    digest: 1f0c1a9a2b6d3c0f6c7d7d0c1f0e7a4a2f5b0c6c7e9d1a2b3c4d5e6f7a8b9c0d
    prefix: runtime/models/chronos-2/1f0c1a9a2b6d3c0f6c7d7d0c1f0e7a4a2f5b0c6c7e9d1a2b3c4d5e6f7a8b9c0d/
    source: hub:amazon/chronos-2
    revision: 0f8a440441931157957e2be1a9bce66627d99c76
uploaded:
  description: Files that were uploaded, or would be in check mode.
  type: int
  returned: success
  sample: 2
messages:
  description: What was found and done.
  type: list
  elements: str
  returned: success
  sample: ["births: already published (chronos2, 0.6 MB, digest 1f0c1a9a2b6d)"]
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import ENVIRONMENT, PUBLISHER
from chronos_training.ansible.module import main
from chronos_training.control.options.settings import resolve_settings
from chronos_training.control.publish.models import publish_model
from chronos_training.control.registry import audit
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    **PUBLISHER,
    "name": {"type": "str", "required": True},
    "source": {"type": "str", "required": True},
    "revision": {"type": "str", "default": ""},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Publish what the bucket does not have; see RETURN."""
    region = params["region"] or None
    bucket = params["bucket"] or resolve_settings(params["env"], region=region).bucket
    result = publish_model(
        aws.client("s3", region=region),
        bucket,
        params["name"],
        params["source"],
        revision=params["revision"],
        check_mode=check_mode,
        emit=emit,
    )
    if result["changed"] and not check_mode:
        model = result["model"]
        about = {"object": f"model {params['name']}", "digest": model["digest"], "source": params["source"]}
        audit.record(
            audit.Log(bucket, params["env"], params["region"], emit),
            audit.PUBLISH,
            audit.Entry(details=about, caller=params["caller"]),
        )
    return result


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
