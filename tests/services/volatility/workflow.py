"""Runs a workflow as GitHub does, as far as this repository's goes: jobs by their needs, each in a clean clone, signed in by OIDC.

What an action does is done here: checkout clones, configure-aws-credentials takes the role with the job's token. A step's
`run` is bash's, unchanged. Jobs find the same folder again, as on GitHub, and in it what `make setup` made before, as with a cache
of the runner's: a minute for each job that shows nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore import UNSIGNED
from botocore.config import Config

from local_aws.home import FOREIGN_VARIABLES, client_environment
from local_aws.testing import EmbeddedAws

ROOT = Path(__file__).resolve().parents[3]
FILE = ".github/workflows/volatility.yml"
KEPT = (".venv", ".cache")
# What this checkout has downloaded or built already, by hash: a runner's cache from the start.
SEEDED = ("uv", "image-layers")
# Nobody has these keys: the embedded AWS takes a job that has not signed in for nobody, not for the account's owner.
NOBODY = {"LOCAL_AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "LOCAL_AWS_SECRET_ACCESS_KEY": "nobody"}


@dataclass
class Job:
    """What became of a job: success, failure, or skipped; what each step printed."""

    result: str
    said: dict[str, str] = field(default_factory=dict)


@dataclass
class Github:
    """A repository on GitHub with its workflow, its variables, and one runner."""

    aws: EmbeddedAws
    folder: Path
    repository: str
    """owner/name, as its tokens name it"""
    variables: dict[str, str]
    environment: dict[str, str]
    """variables of the workflow that are others here"""
    stand_ins: dict[str, str]
    """commands that something else stands in for"""

    @property
    def origin(self) -> Path:
        return self.folder / "origin"

    def push(self, message: str, **changes: str | None) -> str:
        """Commit everything of the folder `origin` on main; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        done = subprocess.run(["git", *who, *words], cwd=self.origin, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def mirror(self) -> None:
        """Fill `origin` with what this checkout has, committed or not."""
        self.origin.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "main")
        words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (self.origin / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.origin / name)
        for name in SEEDED:
            if (ROOT / ".cache" / name).is_dir():
                place = self.folder / "kept/.cache" / name
                shutil.copytree(ROOT / ".cache" / name, place, symlinks=True, copy_function=link)

    def run(self, commit: str, ref: str = "refs/heads/main") -> dict[str, Job]:
        """Run the workflow of a commit, with every approval given."""
        document = yaml.safe_load(self.git("show", f"{commit}:{FILE}"))
        jobs: dict[str, Job] = {}
        for name, job in document["jobs"].items():
            if goes(job, jobs):
                jobs[name] = self.job(document, name, commit, ref)
            else:
                jobs[name] = Job("skipped")
        return jobs

    def job(self, document: dict[str, Any], name: str, commit: str, ref: str = "refs/heads/main") -> Job:
        """Run one job."""
        job, done = document["jobs"][name], Job("success")
        variables = {
            name: value
            for name, value in os.environ.items()
            if name not in FOREIGN_VARIABLES and not name.startswith(("AWS_", "LOCAL_AWS_", "PYTEST_", "ANSIBLE_"))
        }
        there = {k: v for k, v in client_environment(self.aws.endpoint).items() if "KEY" not in k and "REGION" not in k}
        variables |= {**there, "LOCAL_AWS_HOME": str(self.aws.home), **NOBODY}
        variables |= {"CI": "true", "GITHUB_SHA": commit, "GITHUB_REF": ref, "NO_COLOR": "1", "PYTHON": sys.executable}
        variables |= {**document["env"], **job.get("env", {}), **self.environment}
        for step in job["steps"]:
            name = step.get("name", step.get("uses"))
            if "uses" in step:
                variables |= self.action(step, job, commit, ref)
                continue
            code, done.said[name] = self.bash(step["run"], variables | step.get("env", {}))
            if code:
                done.result = "failure"
                break
        return done

    @property
    def workspace(self) -> Path:
        return self.folder / "runner" / "work"

    def action(self, step: dict[str, Any], job: dict[str, Any], commit: str, ref: str) -> dict[str, str]:
        """Do what an action does; return the variables that it sets for the steps after it."""
        action, given = step["uses"].partition("@")[0], step.get("with", {})
        if action == "actions/checkout":
            assert job["permissions"]["contents"] == "read"
            self.checkout(commit, shallow=given.get("fetch-depth") != 0)
        elif action == "aws-actions/configure-aws-credentials":
            assert job["permissions"]["id-token"] == "write"
            return self.sign_in(self.filled(given["role-to-assume"]), self.filled(given["aws-region"]), job, ref)
        else:
            assert action == "actions/setup-python", action
        return {}

    def checkout(self, commit: str, *, shallow: bool) -> None:
        """A clean clone, with what `make setup` made in the one before."""
        kept = self.folder / "kept"
        for name in KEPT:
            if (self.workspace / name).exists():
                kept.mkdir(exist_ok=True)
                (self.workspace / name).rename(kept / name)
        shutil.rmtree(self.workspace, ignore_errors=True)
        words = ["git", "clone", "--quiet", *(["--depth", "1"] if shallow else []), self.origin.as_uri()]
        subprocess.run([*words, self.workspace], check=True)
        subprocess.run(["git", "checkout", "--quiet", commit], cwd=self.workspace, check=True)
        for name in KEPT:
            if (kept / name).exists():
                (kept / name).rename(self.workspace / name)

    def sign_in(self, role: str, region: str, job: dict[str, Any], ref: str) -> dict[str, str]:
        """What configure-aws-credentials does. Raises ClientError where the role's trust refuses the job."""
        words = ["github-token", self.repository, "--ref", ref, "--environment", job.get("environment", "")]
        environment = os.environ | self.aws.env
        token = subprocess.run(
            [sys.executable, "-m", "local_aws", *words], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()  # fmt: skip
        sts = boto3.client(
            "sts", region_name=region, endpoint_url=self.aws.endpoint, config=Config(signature_version=UNSIGNED)
        )
        keys = sts.assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="GitHubActions", WebIdentityToken=token
        )["Credentials"]  # fmt: skip
        mine = {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
        # The inventory local acts as the embedded account's owner, unless these say for whom.
        theirs = {f"LOCAL_{name}": value for name, value in mine.items()}
        return {**mine, **theirs, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}

    def filled(self, text: str) -> str:
        """Fill in the repository's variables, the only expressions that the workflow has."""
        return re.sub(r"\$\{\{ vars\.(\w+) \}\}", lambda found: self.variables[found[1]], text)

    def bash(self, script: str, variables: dict[str, str]) -> tuple[int, str]:
        """Run a step's script with GitHub's default shell."""
        for command, instead in self.stand_ins.items():
            script = re.sub(rf"^{re.escape(command)}$", instead, script, flags=re.MULTILINE)
        file = self.folder / "script.sh"
        file.write_text(script)
        done = subprocess.run(
            ["bash", "-e", file], cwd=self.workspace, env={k: str(v) for k, v in variables.items()},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout


def link(source: str, target: str) -> str:
    """As a copy, without a copy where both are on one file system. A link stays one."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
    return target


def goes(job: dict[str, Any], before: dict[str, Job]) -> bool:
    """Whether a job runs: when everything it needs succeeded, or as its condition says."""
    needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
    condition = job.get("if", "success()")
    words = re.sub(r"needs\.(\w+)\.result", lambda found: repr(before[found[1]].result), condition)
    words = words.replace("&&", " and ").replace("||", " or ")
    known = {
        "always": lambda: True,
        "success": lambda: all(before[one].result == "success" for one in needs),
        "failure": lambda: any(one.result == "failure" for one in before.values()),
    }
    said = bool(eval(words, {"__builtins__": {}}, known))
    overrides = any(f"{name}()" in condition for name in known)
    return said and (overrides or known["success"]())
