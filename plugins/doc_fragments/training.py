"""Documentation of the arguments that several modules take; chronos_training/ansible/arguments.py has the arguments."""

from __future__ import annotations


class ModuleDocFragment:
    ENVIRONMENT = r"""
options:
  env: {type: str, required: true, description: The environment.}
  region: {type: str, description: Its AWS region; default is the one of the AWS configuration (C(AWS_REGION) or the profile).}
"""

    IN_REGION = r"""
options:
  env: {type: str, required: true, description: The environment.}
  region: {type: str, required: true, description: Its AWS region.}
"""

    PROJECT = r"""
options:
  project: {type: str, required: true, description: Value of the Project tag.}
"""

    PUBLISHER = r"""
options:
  bucket:
    type: str
    default: ""
    description: The bucket. Empty means the one that provisioning wrote to the environment's parameters.
  caller: {type: str, default: "", description: "ARN of the publisher, for the audit log."}
"""

    LAUNCH = r"""
options:
  config:
    type: str
    required: true
    description:
      - Name of a configuration in C(training/configs).
      - C(s3://<bucket>/<env>/configs/<name>.yaml) (or .yml, .json) overrides it if it exists.
  config_file: {type: path, description: Your own YAML or JSON file; overrides both. Only the keys that differ.}
  instance_types: {type: list, elements: str, required: true, description: Instance types in order of preference.}
  device: {type: str, choices: [cpu, cuda], required: true, description: Device that the run is declared for.}
  volume_gb: {type: int, required: true, description: Size of the root volume in GB.}
  image_parameter: {type: str, required: true, description: SSM parameter that names the machine image.}
  price_per_hour: {type: float, description: US dollars per hour; default is the price table.}
"""
