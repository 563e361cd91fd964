"""The codes of errors, for programs: a message may be reworded, its code stays.

docs/errors.md is written from this table. A test finds codes that are raised without a line here, and lines that nothing
raises.
"""

from __future__ import annotations

from dataclasses import dataclass

from .output import run


@dataclass(frozen=True)
class ErrorCode:
    """What a code says, and whether the same command may succeed later although nobody has changed anything."""

    text: str
    retry: bool = False


CODES = {
    "configuration_invalid": ErrorCode("A value in a configuration, an inventory or a command line cannot be used."),
    "data_invalid": ErrorCode("A dataset or a file is missing, corrupt or not what its manifest says."),
    "not_provisioned": ErrorCode("A resource of the environment does not exist: provision it."),
    "not_published": ErrorCode(
        "The bucket does not have the environment, agent, dataset or model that is named: publish it."
    ),
    "run_not_found": ErrorCode("There is no run of this ID, or none at all."),
    "credentials_missing": ErrorCode("There are no AWS credentials, or not all of them, or no such profile."),
    "credentials_expired": ErrorCode("The AWS credentials have expired: sign in again."),
    "credentials_invalid": ErrorCode("AWS does not accept the credentials."),
    "clock_skew": ErrorCode("The clock of the machine is wrong, so AWS rejects its signatures."),
    "permission_denied": ErrorCode("AWS denied the call: a permission is missing, or a policy denies it."),
    "service_unavailable": ErrorCode(
        "AWS cannot be reached, is busy or had a fault. It says nothing about the resource.", retry=True
    ),
    "outcome_unknown": ErrorCode(
        "AWS did not answer, so the request may have taken effect. The same command finds out and continues.",
        retry=True,
    ),
    "lock_held": ErrorCode("Another run holds the environment's lock.", retry=True),
    "conflict": ErrorCode("Another command or run has changed the same thing first; its change stands."),
    "record_invalid": ErrorCode("A record in the bucket is not in the form that this program writes."),
    "checksum_mismatch": ErrorCode("An object does not have the sha256 that was recorded for it."),
    "launch_blocked": ErrorCode("The account check found what would stop a launch; `findings` has it."),
    "no_capacity": ErrorCode("EC2 has none of the instance types in any of the zones now.", retry=True),
    "quota_exceeded": ErrorCode("The account's quota or its free plan does not allow the instance type."),
    "orphans_found": ErrorCode("There are resources with our tags that belong to no active run."),
    "not_terminated": ErrorCode("EC2 has not confirmed within the time allowed that everything has ended.", retry=True),
    "run_unsuccessful": ErrorCode("The run that was watched ended without success; `run` and `exit_code` say how."),
    "run_not_visible": ErrorCode("The run could not be looked at any more. It says nothing about the run.", retry=True),
    "build_failed": ErrorCode("The Python environment or the agent package could not be built."),
    "download_failed": ErrorCode("A program or a model could not be downloaded from its publisher."),
    "preflight_failed": ErrorCode("The instance, its image or the published environment cannot run the training."),
    "insufficient_disk": ErrorCode("The instance's disk is too small for the run."),
    "training_failed": ErrorCode("The training program ended without success; training.log has all it said."),
    "run_stopped": ErrorCode("The run was ended before it was complete: its status says why."),
    "upload_incomplete": ErrorCode("Results are missing in the bucket: the time ran out, or a file went away."),
    "internal_error": ErrorCode("A fault of this program: a process of the run crashed or stood still."),
    "operation_failed": ErrorCode("None of the other codes; the message says what AWS or the system answered."),
}

_HEAD = """\
# Error codes

<!-- Generated: python -m chronos_training.core.error_codes > docs/errors.md -->

For programs. Messages are for people and may be reworded; a code keeps its meaning. It is in:

- `error_code` in the result of each of our modules that fails, beside `msg`, `changed` and `done` (what AWS had accepted by then);
- `error_code` in the state file, its archive and `training.json` of a run that failed, beside `error_message`. It is null for
  every other status, which says by itself how the run ended;
- `error_code` in the events of the audit log that failed.

*Retry* says whether the same command may succeed later although nobody has changed anything.

| code | meaning | retry |
|---|---|---|
"""

_FOOT = """
## Exit codes

| program | exit code | when |
|---|---|---|
| `chronos-training` | 0 | done |
| | 2 | an error; its sentence is on standard error |
| | 130, 143 | interrupted with Ctrl-C, ended by SIGTERM |

A playbook ends with Ansible's 2 when a task failed; following a run has an exit code for each way it can end
([Usage](usage.md)).
"""


def page() -> str:
    """Return the page for people who write programs."""
    rows = (f"| `{code}` | {about.text} | {'yes' if about.retry else ''} |\n" for code, about in CODES.items())
    return _HEAD + "".join(rows) + _FOOT


if __name__ == "__main__":
    raise SystemExit(run(lambda: print(page(), end="")))
