"""Containerfiles built and run without any container tool."""

from __future__ import annotations

import base64
import subprocess
import tarfile
from pathlib import Path

import pytest

from local_aws.containers import containerfile, isolation, tools
from local_aws.containers.__main__ import main
from local_aws.containers.command import Wanted, command_of
from local_aws.containers.oci import Image, ImageError

from .project import CONTAINERFILE, built_image, new_project, run

NAME = "127.0.0.1:1/team/batch:v1"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return new_project(tmp_path / "project")


@pytest.fixture(params=["in its own paths", "with translated paths"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two ways in which an image of this level runs."""
    if request.param == "with translated paths":
        monkeypatch.setattr(isolation, "reason_not_to", lambda: "a test wants the other way")
    elif isolation.reason_not_to():
        pytest.skip(f"no mount namespace can be had here: {isolation.reason_not_to()}")
    return str(request.param)


def _build(project: Path, *words: str) -> tuple[Image, subprocess.CompletedProcess[str]]:
    home = project.parent / "home"
    done = run(home, "build", "-t", NAME, *words, str(project))
    assert done.returncode == 0, done.stderr
    return built_image(home, NAME), done


def _members(image: Image) -> list[tarfile.TarInfo]:
    found = []
    for layer in image.layers:
        with tarfile.open(layer) as archive:
            found += archive.getmembers()
    return found


def _run(image: Image, home: Path, **wanted) -> subprocess.CompletedProcess[str]:
    command = command_of(image, Wanted("test", **wanted), home)
    try:
        return subprocess.run(command.argv, env=command.env, cwd=command.cwd, capture_output=True, text=True)
    finally:
        command.clean()


def test_the_locked_packages_and_the_entry_point_run(project: Path, tmp_path: Path, way: str):
    image, done = _build(project, "--no-cache", "--target", "batch", "--build-arg", "REVISION=abc")
    assert "skipped, because this computer has its own system: apt-get" in done.stderr
    assert done.stdout.strip() == image.digest
    assert image.level == "process"
    settings = image.settings
    assert (settings["Entrypoint"], settings["Cmd"]) == (["greet"], ["world"])
    assert (settings["User"], settings["WorkingDir"], settings["Labels"]) == ("1000", "/work", {"revision": "abc"})

    said = _run(image, tmp_path, environment={"COLOUR": "blue"})
    assert said.stdout.split()[:3] == ["hello", "world", "settings"], said.stderr
    assert said.stdout.split()[3].endswith("/work")
    assert said.stdout.split()[4] == "blue"
    assert "you" in _run(image, tmp_path, command=["you"]).stdout
    other = _run(image, tmp_path, entrypoint=["python", "-c", "print('other')"])
    assert other.stdout == "other\n"  # an entry point of its own drops the image's command


def test_the_same_files_are_the_same_image_and_a_target_has_its_own_layers_alone(project: Path):
    first, _ = _build(project, "--no-cache")
    for options in ([], ["--no-cache"]):
        again, done = _build(project, *options)
        assert again.digest == first.digest
        assert ("skipped" in done.stderr) == bool(options)  # nothing is carried out twice
    (project / "app/app_settings.py").write_text("NAME = 'changed'\n")
    changed, _ = _build(project)
    assert changed.digest != first.digest
    assert [layer.name for layer in changed.layers][:-1] == [layer.name for layer in first.layers][:-1]
    api, _ = _build(project, "--target", "api")
    assert not any("app_settings" in member.name for member in _members(api))
    names = [member.name for member in _members(first)]
    assert "app/app_settings.py" in names
    assert "app/secret.txt" not in names  # .dockerignore


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RUN make install", "`make` is not among what the builder `process` can do"),
        ("RUN python -c 'print(1)'", "starts no program of the image"),
        ("RUN pip install --editable-mode x", "does not know pip's option --editable-mode"),
        ("RUN echo a | tee b", "commands joined by && alone"),
        ("COPY missing.txt /", "missing.txt: no such file or directory"),
        ("COPY --from=nothing /a /b", "there is no stage nothing"),
        ("ADD https://example.com/x /x", "fetches nothing"),
        ("FROM registry.example.com/unknown:1", "knows images of Python and of systems"),
        ("NONSENSE x", "there is no such instruction"),
    ],
)
def test_what_it_cannot_do_is_refused_with_its_line(project: Path, line: str, said: str):
    (project / "Containerfile").write_text(f"FROM python:3.11\n{line}\n")
    done = run(project.parent / "home", "build", "-t", NAME, str(project))
    assert done.returncode == 1
    assert said in done.stderr


def test_files_are_made_and_copied_as_docker_would(project: Path, tmp_path: Path):
    (project / "Containerfile").write_text(
        "FROM scratch\nWORKDIR /a/b\nCOPY app/app_settings.py renamed.py\nCOPY app wheels /c/\nCOPY --chmod=755 app/*.py ./\n"
        "RUN mkdir -p /d/e && ln -s /c/app_settings.py /d/link && chmod 600 renamed.py && touch /d/${NAME:-none}\n"
    )
    image, _ = _build(project)
    found = {member.name: member for member in _members(image) if not member.isdir()}
    assert set(found) == {
        "a/b/renamed.py", "a/b/app_settings.py", "c/app_settings.py", "c/greet-1.0-py3-none-any.whl", "d/link", "d/none"
    }  # fmt: skip
    assert found["a/b/app_settings.py"].mode == 0o755
    assert found["a/b/renamed.py"].mode == 0o600
    assert found["d/link"].linkname == "../c/app_settings.py"


def test_a_script_with_the_environments_interpreter_in_its_first_line_runs(project: Path, tmp_path: Path, way: str):
    (project / "app/start").write_text("#!/opt/venv/bin/python\nimport greet, sys; print(sys.prefix)\n")
    (project / "app/start").chmod(0o755)
    (project / "Containerfile").write_text(CONTAINERFILE + 'ENTRYPOINT ["/app/start"]\n')
    image, _ = _build(project)
    said = _run(image, tmp_path)
    assert said.stdout.strip().endswith("/opt/venv"), said.stderr


def test_absolute_paths_are_the_images_and_what_is_written_is_gone(project: Path, tmp_path: Path):
    if isolation.reason_not_to():
        pytest.skip(f"no mount namespace can be had here: {isolation.reason_not_to()}")
    image, _ = _build(project, "--target", "batch")
    script = (
        "import os; print(open('/app/app_settings.py').read().strip(), sorted(os.listdir('/tmp')), os.listdir('.'))\n"
        "for name in ('/tmp/left', '/app/left', 'left', '/new'): open(name, 'w').close()"
    )
    for _ in range(2):
        said = _run(image, tmp_path, entrypoint=["python", "-c", script])
        # The home of this test lies below /tmp and is seen there, as nothing else is.
        assert said.stdout.startswith("NAME = 'settings' ["), said.stderr
        assert "left" not in said.stdout
    assert not Path("/new").exists()
    assert not list((tmp_path / "containers").iterdir())


def test_an_image_without_a_command_says_so(project: Path, tmp_path: Path):
    (project / "Containerfile").write_text("FROM scratch\nCOPY app /app\n")
    image, _ = _build(project)
    with pytest.raises(ImageError, match="no command specified"):
        _run(image, tmp_path)


# A build backend in the project itself: nothing comes over a network.
BACKEND = """
import zipfile
def build_wheel(folder, *_):
    files = {
        "mine.py": "NAME = 'mine'\\n",
        "mine-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: mine\\nVersion: 1\\n",
        "mine-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files["mine-1.dist-info/RECORD"] = "".join(f"{name},,\\n" for name in [*files, "mine-1.dist-info/RECORD"])
    with zipfile.ZipFile(f"{folder}/mine-1-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(zipfile.ZipInfo(name), text)
    return "mine-1-py3-none-any.whl"
"""


def test_a_project_of_its_own_is_installed_and_mounted_files_are_seen(project: Path, tmp_path: Path):
    (project / "own").mkdir()
    (project / "own/backend.py").write_text(BACKEND)
    (project / "own/pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "mine"\nversion = "1"\n'
    )
    (project / "Containerfile").write_text(
        "FROM python:3.11-slim\nWORKDIR /src\nCOPY own .\n"
        "RUN --mount=type=bind,source=wheels,target=/wheels --mount=type=cache,target=/root/.cache \\\n"
        "    export GREET=1.0 && pip install --no-index --find-links /wheels greet==${GREET} && pip install --no-deps .\n"
    )
    image, _ = _build(project, "--no-cache")
    said = _run(
        image,
        tmp_path,
        entrypoint=[
            "python",
            "-c",
            "import importlib.metadata as m, mine; print(mine.NAME, mine.__file__, m.version('greet'))",
        ],
    )
    assert said.stdout.startswith("mine /usr/local/lib/"), said.stderr
    again, _ = _build(project, "--no-cache")
    assert again.digest == image.digest
    assert not any("wheels" in member.name for member in _members(image))


@pytest.mark.services
def test_lambdas_own_base_image_has_its_runtime(project: Path, tmp_path: Path):
    (project / "Containerfile").write_text(
        "FROM public.ecr.aws/lambda/python:3.11\nCOPY app/app_settings.py ${LAMBDA_TASK_ROOT}/\n"
        "RUN pip install --no-index --find-links /wheels -t ${LAMBDA_TASK_ROOT} greet==1.0\n"
        'CMD ["app_settings.handler"]\n'.replace("RUN", "COPY wheels /wheels/\nRUN")
    )
    image, _ = _build(project)
    assert image.settings["Entrypoint"] == ["python", "-m", "awslambdaric"]
    script = "import app_settings, awslambdaric, boto3, greet; print(awslambdaric.__file__, boto3.__file__)"
    said = _run(image, tmp_path, entrypoint=["python", "-c", script])
    assert said.stdout.count("/var/runtime/") == 2, said.stderr


def test_a_level_that_does_not_work_here_is_replaced_and_that_is_said(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(tools, "TOOLS", (tools.Tool("docker", ("false",)), tools.Tool("nothing", ("no-such-tool",))))
    monkeypatch.setenv("LOCAL_AWS_HOME", str(tmp_path / "home"))
    assert main(["build", "--level", "container", "-t", NAME, "--target", "api", str(project)]) == 0
    said = capsys.readouterr()
    assert "no real image can be built here (docker: exit code 1; nothing: there is no nothing)" in said.err
    image = built_image(tmp_path / "home", NAME)
    assert (image.level, image.digest) == ("process", said.out.strip())


def test_a_push_says_what_the_registry_says(project: Path, tmp_path: Path, aws):
    home = tmp_path / "home"
    host = aws.endpoint.removeprefix("http://")
    name = f"{host}/nothing:v1"
    assert run(home, "build", "-t", name, "--target", "api", str(project)).returncode == 0
    assert "log in first" in run(home, "push", name).stderr
    wrong = run(home, "login", "--username", "AWS", "--password-stdin", host, given="wrong")
    assert "unauthorized" in wrong.stderr
    token = aws.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    password = base64.b64decode(token).decode().partition(":")[2]
    assert run(home, "login", "--username", "AWS", "--password-stdin", host, given=password).returncode == 0
    assert "name unknown: The repository with name 'nothing' does not exist" in run(home, "push", name).stderr
    assert "no image other:v1 has been built here" in run(home, "push", "other:v1").stderr
    aws.client("ecr").create_repository(repositoryName="nothing")
    pushed = run(home, "push", name)
    [image] = aws.client("ecr").describe_images(repositoryName="nothing")["imageDetails"]
    assert pushed.stdout.strip() == f"v1: digest: {image['imageDigest']}"


def test_base_images_are_replaced_where_they_stand():
    text = "ARG V=3.11\nFROM --platform=linux/amd64 python:${V} AS build\nRUN echo FROM\nFROM build\nfrom debian:12\n"
    stages = containerfile.stages(list(containerfile._instructions(text)), {})
    assert [stage.base for stage in stages] == ["python:3.11", "build", "debian:12"]
    changed = containerfile.with_bases(text, stages, {"python:3.11": "localhost/p:3.11", "debian:12": "localhost/d:12"})
    assert changed.splitlines()[1] == "FROM --platform=linux/amd64 localhost/p:3.11 AS build"
    assert changed.splitlines()[3:] == ["FROM build", "from localhost/d:12"]
