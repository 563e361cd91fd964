#!/usr/bin/python
"""Ansible module: the images of an earlier release."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_release_info
short_description: Find published images by their tag
description:
  - Both images of a release, by digest. Fails with the tags that there are when one is missing.
options:
  repositories: {type: dict, required: true, description: "The repositories, by target: batch and api."}
  tag: {type: str, required: true, description: "The tag; C(previous) for the images that were pushed before the last published ones."}
  published: {type: dict, required: true, description: "By target, what was published last, by digest."}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Find what ran before
  volatility_release_info:
    env: dev
    region: us-east-1
    repositories: "{{ volatility_repositories }}"
    tag: previous
    published:
      batch: "{{ volatility_settings.batch_image }}"
      api: "{{ volatility_settings.api_image }}"
  register: release
"""

RETURN = r"""
tag: {type: str, returned: success, description: The tag.}
images: {type: dict, returned: success, description: "By target, the image by its digest."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import release
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "repositories": {"type": "dict", "required": True},
    "tag": {"type": "str", "required": True},
    "published": {"type": "dict", "required": True},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Return the tag and its images. Reads only, so check mode is no different."""
    ecr = aws.client("ecr", region=params["region"])
    tag, images = release.find(ecr, params["env"], params["repositories"], params["tag"], params["published"])
    return {"changed": False, "tag": tag, "images": images}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
