"""Arguments that several modules of `library/` take, for their ARGUMENT_SPEC.

Each has its documentation under the same name in plugins/doc_fragments/training.py; a test compares the two.
"""

from __future__ import annotations

from typing import Any

Arguments = dict[str, dict[str, Any]]

# For whatever acts on an environment that is provisioned.
ENVIRONMENT: Arguments = {"env": {"type": "str", "required": True}, "region": {"type": "str"}}
# For whatever must know the region before anything is provisioned in it.
IN_REGION: Arguments = {"env": {"type": "str", "required": True}, "region": {"type": "str", "required": True}}
PROJECT: Arguments = {"project": {"type": "str", "required": True}}
PUBLISHER: Arguments = {"bucket": {"type": "str", "default": ""}, "caller": {"type": "str", "default": ""}}
# What decides which instance a launch would start.
LAUNCH: Arguments = {
    "config": {"type": "str", "required": True},
    "config_file": {"type": "path"},
    "instance_types": {"type": "list", "elements": "str", "required": True},
    "device": {"type": "str", "choices": ["cpu", "cuda"], "required": True},
    "volume_gb": {"type": "int", "required": True},
    "image_parameter": {"type": "str", "required": True},
    "price_per_hour": {"type": "float"},
}
