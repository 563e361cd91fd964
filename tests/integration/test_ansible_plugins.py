"""What the project changes in how Ansible runs: plain modules of amazon.aws in its own process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
# What a module can answer: found, changed (predicted and done), the same again, refused arguments, refused by AWS.
TASKS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - amazon.aws.ec2_vpc_net: {name: net, cidr_block: 10.9.0.0/16, tags: {Grüße: "a 'b' \\"c\\""}}
      check_mode: true
      diff: true
      register: predicted
    - amazon.aws.ec2_vpc_net: {name: "{{ lookup('pipe', 'echo net') }}", cidr_block: 10.9.0.0/16, tags: {Grüße: b}}
      register: made
    - amazon.aws.ec2_vpc_net: {name: net, cidr_block: 10.9.0.0/16, tags: {Grüße: b}}
      register: again
    - amazon.aws.ec2_vpc_igw: {vpc_id: "{{ made.vpc.id }}", stat: present}
      register: misspelt
      ignore_errors: true
    - amazon.aws.ec2_vpc_igw: {vpc_id: vpc-00000000000000000}
      register: refused
      ignore_errors: true
    - amazon.aws.ec2_vpc_net_info: {filters: {"tag:Name": "{{ item }}"}}
      loop: [net, none]
      register: found
    - ansible.builtin.copy:
        dest: "{{ answers }}"
        content: "{{ [predicted, made, again, misspelt, refused, found] | to_json }}"
        mode: "0600"
"""


@pytest.fixture
def command(aws):
    """Return a function that runs a program of the virtual environment from the repository's root."""

    def run(*words: str, **variables: str) -> str:
        done = subprocess.run(
            [str(BIN / words[0]), *words[1:]],
            cwd=ROOT,
            env={**os.environ, **aws.env, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": "ansible.cfg", **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_modules_of_the_collection_answer_in_process_what_they_answer_as_processes(command, aws, tmp_path):
    playbook, answers = tmp_path / "tasks.yml", tmp_path / "answers.json"
    playbook.write_text(TASKS)
    seen: list[Any] = []
    for actions in ("plugins/action", str(tmp_path / "none")):
        aws.reset()
        said = command(
            "ansible-playbook", str(playbook), "-vvv", "-e", f"answers={answers}", ANSIBLE_ACTION_PLUGINS=actions
        )
        packed = set(re.findall(r"Using module file \S+/(ec2_\w+)\.py", said))
        assert packed == (set() if actions == "plugins/action" else {"ec2_vpc_net", "ec2_vpc_igw", "ec2_vpc_net_info"})
        seen.append(_without_ids(json.loads(answers.read_text())))
    assert seen[0] == seen[1]
    predicted, made, again, misspelt, refused, found = seen[0]
    assert (predicted["changed"], made["changed"], again["changed"]) == (True, True, False)
    assert "Unsupported parameters" in misspelt["msg"] and "vpc-" in refused["msg"]
    assert [len(one["vpcs"]) for one in found["results"]] == [1, 0]


def test_what_does_not_run_with_this_python_is_left_to_ansible(command, tmp_path):
    playbook = tmp_path / "tasks.yml"
    playbook.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - amazon.aws.ec2_vpc_net_info:\n      environment: {AWS_REGION: us-east-1}\n"
        "    - amazon.aws.aws_caller_info:\n"
    )
    said = command("ansible-playbook", str(playbook), "-vvv")
    assert re.findall(r"Using module file \S+/(\w+)\.py", said) == ["ec2_vpc_net_info"]


def _without_ids(answer: Any) -> Any:
    """Return the answer with every id of AWS made alike."""
    return json.loads(re.sub(r"\b(vpc|dopt|igw|vpc-cidr-assoc|acl|sg|rtb)-[0-9a-f]{6,}", r"\1-id", json.dumps(answer)))
