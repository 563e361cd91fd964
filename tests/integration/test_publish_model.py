"""publish_model against an S3 server and a hub: what is accepted, what is uploaded, and what is not."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from chronos_training.control.publish import publishing
from chronos_training.control.publish.models import publish_model
from chronos_training.control.publish.published import base_model
from chronos_training.core.errors import ConfigurationError, TrainingError

from .little_model import make_model, safetensors

BUCKET = "models"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "a model")


def publish(s3, source, name="tiny", *, check_mode=False, revision="", emit=lambda line: None):
    return publish_model(s3, BUCKET, name, str(source), revision=revision, check_mode=check_mode, emit=emit)


def keys(s3) -> set[str]:
    return {entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def test_what_is_published_is_what_a_launch_finds(s3, model):
    result = publish(s3, model)
    assert (result["changed"], result["uploaded"]) == (True, 2)
    found = base_model(s3, BUCKET, "local", "tiny")
    assert found == result["model"]
    assert (found["family"], found["source"], found["revision"]) == ("chronos2", "a model", None)
    assert found["settings"]["patch_size"] == 8
    assert found["settings"]["longest_prediction"] == 32
    assert found["settings"]["levels"] == [0.1, 0.5, 0.9]
    stored = {file["path"]: s3.get_object(Bucket=BUCKET, Key=found["prefix"] + file["path"]) for file in found["files"]}
    assert stored["model.safetensors"]["Body"].read() == safetensors()


def test_unchanged_nothing_is_uploaded_and_the_pointer_stays(s3, model):
    first = publish(s3, model)["model"]
    (model / ".cache").mkdir()
    (model / ".cache/notes.json").write_text("{}")
    again = publish(s3, model)
    assert (again["changed"], again["uploaded"], again["model"]) == (False, 0, first)


def test_other_weights_under_the_name_leave_the_old_ones_there(s3, model):
    old = publish(s3, model)["model"]
    (model / "model.safetensors").write_bytes(safetensors(b"\1" * 8))
    new = publish(s3, model)["model"]
    assert new["digest"] != old["digest"]
    assert base_model(s3, BUCKET, "local", "tiny")["digest"] == new["digest"]
    assert {old["prefix"] + "model.safetensors", new["prefix"] + "model.safetensors"} <= keys(s3)


def test_check_mode_predicts_and_touches_nothing(s3, model):
    result = publish(s3, model, check_mode=True)
    assert (result["changed"], result["uploaded"]) == (True, 2)
    assert result["diff"]["before"] == {}
    assert keys(s3) == set()


def test_a_broken_publication_leaves_the_old_one_current(s3, model, monkeypatch):
    old = publish(s3, model)["model"]
    (model / "model.safetensors").write_bytes(safetensors(b"\1" * 8))
    put = publishing.put

    def refuse(s3, bucket, key, *rest):
        if key.endswith(".safetensors"):
            raise TrainingError("the line broke")
        put(s3, bucket, key, *rest)

    monkeypatch.setattr(publishing, "put", refuse)
    with pytest.raises(TrainingError, match="the line broke"):
        publish(s3, model)
    assert base_model(s3, BUCKET, "local", "tiny") == old


def test_a_damaged_object_is_uploaded_again(s3, model):
    found = publish(s3, model)["model"]
    s3.delete_object(Bucket=BUCKET, Key=found["prefix"] + "model.safetensors")
    assert publish(s3, model)["uploaded"] == 1


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def torn(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(safetensors()[:-1])


def other(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertModel"]}))


BAD = [
    (pickled, "no weights in safetensors: only pytorch_model.bin, which can run arbitrary code"),
    (torn, "model.safetensors is not a complete safetensors file"),
    (other, "does not belong to a Chronos model: architectures BertModel"),
    (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    (lambda folder: (folder / "config.json").write_text("{"), "is not readable as JSON"),
    (lambda folder: (folder / "model.safetensors").unlink(), "no weights in safetensors: none"),
]


@pytest.mark.parametrize(("spoil", "said"), BAD, ids=[said[:20] for _, said in BAD])
def test_what_is_no_model_is_refused_before_anything_is_uploaded(s3, model, spoil, said):
    spoil(model)
    with pytest.raises(ConfigurationError) as error:
        publish(s3, model)
    assert said in str(error.value)
    assert keys(s3) == set()


def test_bad_names_and_sources_are_refused(s3, model):
    with pytest.raises(ConfigurationError, match=r"'\.\./x' is not allowed"):
        publish(s3, model, name="../x")
    with pytest.raises(ConfigurationError, match="is not a folder with a model"):
        publish(s3, model / "nowhere")
    with pytest.raises(ConfigurationError, match="applies to models of a hub"):
        publish(s3, model, revision="main")


def test_an_unknown_model_names_those_that_there_are(s3, model):
    publish(s3, model)
    with pytest.raises(ConfigurationError, match=r"'huge' is not published .*Published: tiny"):
        base_model(s3, BUCKET, "local", "huge")


@pytest.fixture
def hub(model, tmp_path, monkeypatch):
    """A hub with one model, as huggingface_hub asks it. https://huggingface.co/docs/hub/api"""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            files = {path.name: path.read_bytes() for path in model.iterdir()}
            path = self.path.partition("?")[0]
            prefix, _, name = path.rpartition("/")
            if path == "/api/models/amazon/tiny/revision/main":
                self.answer({"id": "amazon/tiny", "sha": COMMIT, "siblings": []})
            elif path == f"/api/models/amazon/tiny/tree/{COMMIT}":
                self.answer([{"type": "file", "path": n, "size": len(b), "oid": n} for n, b in files.items()])
            elif prefix == f"/amazon/tiny/resolve/{COMMIT}" and name in files:
                self.answer(files[name], ETag=f'"{name}"', **{"X-Repo-Commit": COMMIT})
            else:
                self.send_error(404)

        do_HEAD = do_GET

        def answer(self, body: Any, **headers: str) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(200)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    from huggingface_hub import constants

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("hub")
def test_a_model_of_the_hub_is_published_with_its_commit(s3):
    found = publish(s3, "hub:amazon/tiny", revision="main")["model"]
    assert (found["source"], found["revision"], found["family"]) == ("hub:amazon/tiny", COMMIT, "chronos2")
    assert publish(s3, "hub:amazon/tiny")["changed"] is False


@pytest.mark.usefixtures("hub")
def test_a_model_that_the_hub_does_not_have_is_one_sentence(s3):
    with pytest.raises(TrainingError, match=r"amazon/none could not be downloaded from the hub: .*404"):
        publish(s3, "hub:amazon/none")
    assert keys(s3) == set()
