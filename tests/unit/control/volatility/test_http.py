"""Requests to the API: whatever the other side does is an answer."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from chronos_training.control.volatility import http
from chronos_training.core.errors import ConfigurationError
from tests.unit.control.volatility.site import serving


def test_a_get_and_a_post_with_a_key() -> None:
    with serving(lambda _: (200, {"status": "ok"})) as (url, asked):
        found = http.ask(f"{url}/health")
        http.ask(f"{url}/predict", key="k" * 20, body={"as_of_date": "2018-12-07"})
        http.ask(f"{url}/predict", body=b"{")
    assert (found.status, found.body) == (200, {"status": "ok"}) and found.milliseconds > 0
    assert [(one.method, one.path, one.key, one.body) for one in asked] == [
        ("GET", "/health", None, b""),
        ("POST", "/predict", "k" * 20, b'{"as_of_date": "2018-12-07"}'),
        ("POST", "/predict", None, b"{"),
    ]
    assert [one.kind for one in asked] == [None, "application/json", "application/json"]


@pytest.mark.parametrize(
    ("reply", "body", "sentence"),
    [
        ((403, {"error": "forbidden", "message": "Send a key."}), {"error": "forbidden", "message": "Send a key."}, "Send a key."),
        ((500, b"<h1>no</h1>"), "<h1>no</h1>", "<h1>no</h1>"),
        ((502, [1]), [1], "[1]"),
        ((200, b"\xff"), "\ufffd", "\ufffd"),
        ((503, {"error": "x"}), {"error": "x"}, ""),
    ],
)  # fmt: skip
def test_errors_and_what_is_no_json_are_answers(reply: tuple[int, Any], body: Any, sentence: str) -> None:
    with serving(lambda _: reply) as (url, _):
        found = http.ask(url)
    assert (found.status, found.body, found.sentence) == (reply[0], body, sentence)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"nothing of HTTP\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.0 500 no\r\nContent-Length: 100\r\n\r\n{}",
    ],
    ids=["nothing", "no HTTP", "cut off", "an error, cut off"],
)
def test_half_an_answer_is_none(response: bytes) -> None:
    with serving(lambda _: response) as (url, _):
        found = http.ask(url)
    assert found.status == 0 and found.sentence.startswith("no answer: "), found


def test_where_nobody_listens_and_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setattr(http, "_PATIENCE", 0.05)
        assert http.ask(f"http://127.0.0.1:{port}").sentence == "no answer: timed out"
    assert "refused" in http.ask(f"http://127.0.0.1:{port}").sentence


def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_PATIENCE", 0.05)
    over = threading.Event()

    def half(_: Any) -> bytes:
        over.wait(10)
        return b""

    with serving(half) as (url, _):
        try:
            assert http.ask(url).status == 0
        finally:
            over.set()


@pytest.mark.parametrize("url", ["", "known-once-it-is-made", "file:///etc/passwd", "ftp://example.org"])
def test_without_an_api_it_says_how_to_deploy_one(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Environment dev has no API") as caught:
        http.checked_url(url, "dev")
    assert "make volatility-deploy ENV=dev" in str(caught.value.hint)
    assert http.checked_url("https://example.org/v1", "dev") == "https://example.org/v1"
