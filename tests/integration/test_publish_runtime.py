"""publish_runtime against an S3 server: what is built, what is uploaded, and what is not."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from chronos_training.control.publish import environment, publishing, runtime, squashfs
from chronos_training.core.errors import TrainingError

from .runtime_project import add_torch, make_project, make_wheel

BUCKET = "chronos-training-local-123456789012-us-east-1"
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def built_project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("runtime") / "a checkout")


@pytest.fixture
def project(built_project, monkeypatch):
    """One checkout for the module, so that its environment is built once; pip sees its wheels only."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", (built_project / "wheels").as_uri())
    return built_project


@pytest.fixture
def fresh_project(tmp_path, monkeypatch):
    """A checkout of the test's own, to break things in."""
    project = make_project(tmp_path / "fresh")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", (project / "wheels").as_uri())
    return project


class Recorder:
    """Notes every upload, and can refuse one."""

    def __init__(self, monkeypatch):
        self.keys: list[str] = []
        self.refuse = ""
        put, put_json = publishing.put, publishing.put_json
        monkeypatch.setattr(publishing, "put", lambda s3, b, key, *a, **k: self.note(key) or put(s3, b, key, *a, **k))
        monkeypatch.setattr(publishing, "put_json", lambda s3, b, key, *a: self.note(key) or put_json(s3, b, key, *a))

    def note(self, key):
        if self.refuse and self.refuse in key:
            raise TrainingError(f"refused {key}")
        self.keys.append(key)


@pytest.fixture
def uploads(monkeypatch):
    return Recorder(monkeypatch)


def publish(project, *, check_mode=False, emit=lambda line: None, archive=True):
    request = runtime.Request(
        bucket=BUCKET, project=project, interpreter="current", target="this_machine", archive=archive
    )
    return runtime.publish_runtime(request, check_mode=check_mode, emit=emit)


def pointer(s3, key):
    return json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def test_what_is_published_runs_elsewhere(s3, project, tmp_path):
    result = publish(project)
    assert result["changed"]
    current = pointer(s3, "runtime/python-env/current.json")
    assert current == result["environment"]
    assert current["packages"] == {"greeting": "1.2"}
    archive = current["archive"]
    assert archive["key"] == f"runtime/python-env/{archive['sha256']}/env.tar.zst"
    beside = {
        e["Key"].rsplit("/", 1)[1]
        for e in s3.list_objects_v2(Bucket=BUCKET)["Contents"]
        if current["sha256"] in e["Key"]
    }
    first = "env.sqfs" if squashfs.can_pack() else "env.tar.zst"
    assert current["key"] == f"runtime/python-env/{current['sha256']}/{first}"
    assert beside == {first, "pyproject.toml", "poetry.lock", "venv-metadata.json"}
    assert current["unpacked_size"] > current["size"] > 1000

    body = s3.get_object(Bucket=BUCKET, Key=archive["key"])["Body"].read()
    assert (hashlib.sha256(body).hexdigest(), len(body)) == (archive["sha256"], archive["size"])
    elsewhere = tmp_path / "else where"
    with zstandard.ZstdDecompressor().stream_reader(body) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
        tar.extractall(elsewhere)
    python = elsewhere / "bin/python3"
    code = "import greeting, json, ssl, sys; print(greeting.VERSION, sys.prefix, greeting.__cached__)"
    ran = subprocess.run([python, "-I", "-c", code], env={}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    version, rest = ran.stdout.strip().split(" ", 1)
    assert version == "1.2"
    assert rest.startswith(str(elsewhere))
    # Compiled, and valid whatever the time of the source: flags 0b01, "hash-based, not checked".
    compiled = next(elsewhere.glob("lib/python3*/site-packages/greeting/__pycache__/*.pyc")).read_bytes()
    assert compiled[4:8] == b"\x01\x00\x00\x00"
    assert str(project).encode() not in compiled

    package = pointer(s3, "runtime/packages/current.json")
    archive = s3.get_object(Bucket=BUCKET, Key=package["key"])["Body"].read()
    assert hashlib.sha256(archive).hexdigest() == package["sha256"]
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert "app/chronos_training/__init__.py" in tar.getnames()


def test_unchanged_nothing_is_built_or_uploaded(s3, project, uploads, monkeypatch):
    publish(project)
    uploads.keys.clear()
    monkeypatch.setattr(environment, "build", lambda *_, **__: pytest.fail("built again"))
    said = []
    result = publish(project, emit=said.append)
    assert not result["changed"]
    assert uploads.keys == []
    assert result["diff"]["before"] == result["diff"]["after"]
    assert [line.split(":")[1].strip().startswith("already published") for line in said] == [True, True]


def test_the_pointer_is_written_last_and_an_interrupted_upload_goes_on(s3, project, uploads):
    uploads.refuse = "poetry.lock"
    with pytest.raises(TrainingError, match="refused"):
        publish(project)
    assert "runtime/python-env/current.json" not in uploads.keys
    first = list(uploads.keys)
    assert any(key.endswith("env.tar.zst") for key in first)
    uploads.refuse = ""
    uploads.keys.clear()
    publish(project)
    # The archive is there already, with the right size and digest.
    assert not any(key.endswith("env.tar.zst") for key in uploads.keys)
    env_keys = [key for key in uploads.keys if "python-env" in key]
    assert env_keys[-1] == "runtime/python-env/current.json"


@pytest.mark.skipif(not squashfs.can_pack(), reason="needs mksquashfs")
def test_only_the_image_is_built_and_uploaded_and_the_archive_on_request(s3, fresh_project, uploads):
    said = []
    first = publish(fresh_project, archive=False, emit=said.append)["environment"]
    assert first["archive"] is None and first["image"]["key"] == first["key"]
    assert not any(key.endswith("env.tar.zst") for key in uploads.keys)
    assert not any("archive" in line for line in said)
    assert not list(fresh_project.glob(".cache/runtime/*/env.tar.zst"))
    uploads.keys.clear()
    both = publish(fresh_project)["environment"]
    assert (both["sha256"], both["image"]) == (first["sha256"], first["image"])
    assert [key for key in uploads.keys if key.endswith(("env.sqfs", "env.tar.zst"))] == [both["archive"]["key"]]
    # Asked for no more, it stays what it is: it is in the bucket, and somebody may need it.
    assert not publish(fresh_project, archive=False)["changed"]


def test_without_mksquashfs_the_archive_is_what_is_published_and_the_image_comes_later(s3, fresh_project, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(squashfs, "can_pack", lambda: False)
        said = []
        first = publish(fresh_project, archive=False, emit=said.append)["environment"]
    assert first["image"] is None and first["key"] == first["archive"]["key"]
    assert any("no image to mount, mksquashfs is not installed" in line for line in said)
    if squashfs.can_pack():
        later = publish(fresh_project, archive=False)["environment"]
        assert later["image"]["key"] == later["key"] and later["archive"] == first["archive"]


def test_a_published_archive_that_vanished_is_uploaded_again(s3, project):
    key = publish(project)["environment"]["archive"]["key"]
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert publish(project)["changed"]
    assert s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] > 0


def test_a_broken_pointer_counts_as_none(s3, project):
    publish(project)
    s3.put_object(Bucket=BUCKET, Key="runtime/python-env/current.json", Body=b"{half")
    s3.put_object(Bucket=BUCKET, Key="runtime/packages/current.json", Body=b"[1]")
    assert publish(project)["changed"]
    assert pointer(s3, "runtime/packages/current.json")["schema_version"] == 1


def test_check_mode_predicts_and_touches_nothing(s3, fresh_project, uploads):
    predicted = publish(fresh_project, check_mode=True)
    assert predicted["changed"]
    assert uploads.keys == []
    assert not (fresh_project / ".cache/runtime").exists()
    done = publish(fresh_project)
    assert done["environment"]["build_id"] == predicted["environment"]["build_id"]
    assert done["package"]["sha256"] == predicted["package"]["sha256"]
    assert not publish(fresh_project, check_mode=True)["changed"]


def test_a_missing_bucket(server, s3, project):
    request = runtime.Request(bucket="no-such-bucket", project=project, interpreter="current", target="this_machine")
    with pytest.raises(
        TrainingError,
        match=r"the bucket no-such-bucket does not exist \(NoSuchBucket\)\. Run this first: make provision",
    ):
        runtime.publish_runtime(request, check_mode=False, emit=print)
    # Before the first provisioning a check says what would come.
    assert runtime.publish_runtime(request, check_mode=True, emit=print)["changed"]


def target_of(project):
    return runtime.build_target(project, chosen="current", target="this_machine")


def test_an_interrupted_build_is_made_anew(fresh_project, monkeypatch):
    target, cache = target_of(fresh_project), fresh_project / ".cache"

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(environment, "pack_folder", interrupt)
        with pytest.raises(KeyboardInterrupt):
            environment.build(target, cache, print, archive=True)
    assert environment.find(target, cache) is None
    built = environment.build(target, cache, print, archive=True)
    assert built.archive.stat().st_size == built.about["archive"]["size"]
    assert sorted(path.name for path in (cache / "runtime").iterdir()) == [target.build_id, "lock"]


def test_a_build_whose_archive_was_cut_is_made_anew(fresh_project):
    target, cache = target_of(fresh_project), fresh_project / ".cache"
    built = environment.build(target, cache, print, archive=True)
    with built.archive.open("r+b") as archive:
        archive.truncate(1000)
    assert environment.find(target, cache) is None
    assert environment.build(target, cache, print, archive=True).archive.stat().st_size > 1000


def test_another_lock_is_another_build_and_the_newest_three_are_kept(fresh_project):
    cache = fresh_project / ".cache"
    lock = fresh_project / "training/poetry.lock"
    ids = []
    for number in range(environment.KEPT_BUILDS + 1):
        lock.write_text(lock.read_text() + f"# {number}\n")
        ids.append(target_of(fresh_project).build_id)
        environment.build(target_of(fresh_project), cache, print)
    kept = {path.name for path in (cache / "runtime").iterdir() if path.is_dir()}
    assert kept == set(ids[1:])


def test_a_package_that_cannot_be_had(fresh_project):
    (fresh_project / "wheels/greeting-1.2-py3-none-any.whl").unlink()
    with pytest.raises(TrainingError, match=r"uv could not install the locked packages: .*greeting"):
        environment.build(target_of(fresh_project), fresh_project / ".cache", print)


def relocatable(folder):
    """This machine's Python as if it were a relocatable one for instances."""
    target = target_of(folder)
    return replace(target, for_this_machine=False, interpreter=replace(target.interpreter, platform="linux-x86_64"))


def test_for_instances_exactly_the_locked_files(fresh_project):
    built = environment.build(relocatable(fresh_project), fresh_project / ".cache", print)
    assert built.about["packages"] == {"greeting": "1.2"}


def test_for_instances_a_file_with_another_hash_is_refused(fresh_project):
    wheel = fresh_project / "wheels/greeting-1.2-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes() + b"tampered")
    with pytest.raises(TrainingError, match=r"uv could not install the locked packages"):
        environment.build(relocatable(fresh_project), fresh_project / ".cache", print)


def test_for_instances_the_build_of_torch_is_chosen(fresh_project):
    add_torch(fresh_project)
    cuda = relocatable(fresh_project)
    cpu = replace(cuda, torch="cpu")
    assert cuda.build_id != cpu.build_id
    built = environment.build(cuda, fresh_project / ".cache", print)
    assert built.about["packages"] == {"greeting": "1.2", "torch": "2.13.0", "triton": "3.7"}
    assert built.about["torch"] == "2.13.0+cu130"
    built = environment.build(cpu, fresh_project / ".cache", print)
    assert built.about["packages"] == {"greeting": "1.2", "torch": "2.13.0+cpu"}
    assert built.about["torch"] == "2.13.0+cpu"


def test_for_instances_a_build_of_torch_that_cannot_be_had_names_the_index(fresh_project):
    add_torch(fresh_project)
    (fresh_project / "wheels/torch-2.13.0+cpu-py3-none-any.whl").unlink()
    with pytest.raises(TrainingError, match=r"torch==2\.13\.0\+cpu.*PIP_EXTRA_INDEX_URL"):
        environment.build(replace(relocatable(fresh_project), torch="cpu"), fresh_project / ".cache", print)


def test_for_instances_another_build_of_torch_than_asked_for_is_refused(fresh_project):
    add_torch(fresh_project)
    lock = fresh_project / "training/poetry.lock"
    good = hashlib.sha256((fresh_project / "wheels/torch-2.13.0-py3-none-any.whl").read_bytes()).hexdigest()
    lock.write_text(
        lock.read_text().replace(good, make_wheel(fresh_project / "wheels", "2.13.0", "torch", "2.13.0+cpu"))
    )
    with pytest.raises(TrainingError, match=r"training_runtime_torch is cuda, but torch 2\.13\.0\+cpu was installed"):
        environment.build(relocatable(fresh_project), fresh_project / ".cache", print)


def test_what_was_installed_beside_the_lock_is_refused(fresh_project):
    project = fresh_project / "training/pyproject.toml"
    make_wheel(fresh_project / "wheels", "1.3")
    lock = fresh_project / "training/poetry.lock"
    lock.write_text(lock.read_text().replace('name = "greeting"', 'name = "other"'))
    project.write_text(project.read_text().replace("greeting==1.2", "greeting"))
    with pytest.raises(TrainingError, match=r"greeting 1\.3 was installed, and the lock has no such package"):
        environment.build(target_of(fresh_project), fresh_project / ".cache", print)


def test_the_playbook_changes_something_once(s3, fresh_project):
    variables = {
        "training_env": "local",
        "training_region": "us-east-1",
        "training_bucket": BUCKET,
        "training_runtime_project_dir": str(fresh_project),
        "training_runtime_target": "this_machine",
        "training_runtime_interpreter": "current",
        "ansible_python_interpreter": sys.executable,
    }
    ansible = Path(sys.executable).parent / "ansible-playbook"
    playbook = PROJECT / "playbooks/publish_runtime.yml"
    command = [ansible, "-i", "localhost,", "-c", "local", "-e", json.dumps(variables), playbook]
    for expected in ("changed=1", "changed=0"):
        result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stdout + result.stderr
        assert expected in result.stdout
