"""Filter patterns, by the examples of AWS's document and the rules around them."""

from __future__ import annotations

import json

import pytest

from local_aws.services.logs.filter_patterns import InvalidPattern, read

ERROR_400 = "[ERROR 400] BAD REQUEST"
ERROR_401 = "[ERROR 401] UNAUTHORIZED REQUEST"
ERROR_419 = "[ERROR 419] MISSING ARGUMENTS"
SENT = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "cluster.name": "c",
        "errors": 3,
        "latency": 12.5,
        "ok": True,
    }
)
ACCESS = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


def test_everything() -> None:
    assert read("").match(ERROR_400)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("ERROR", [ERROR_400, ERROR_401], ["[INFO] ERRORS", "error"]),
        ("ERROR ARGUMENTS", [ERROR_419], [ERROR_400]),
        ("?ERROR ?ARGUMENTS", [ERROR_400, ERROR_419], ["fine"]),
        ("?one ERROR ?two", [ERROR_400], ["one two"]),
        ('"BAD REQUEST"', [ERROR_400], [ERROR_401, "REQUEST BAD"]),
        ("ERROR -ARGUMENTS", [ERROR_400], [ERROR_419]),
        ("-INFO", [ERROR_400], ["INFO all"]),
        ("%AUTHORIZED%", [ERROR_401], [ERROR_400]),
        ("AUTHORIZED", ["AUTHORIZED"], [ERROR_401]),
        (r"%\d{3}\] [BM]%", [ERROR_400, ERROR_419], [ERROR_401]),
        ('"[ERROR 4"', ["[ERROR 4] x"], ["(ERROR 4)"]),
        ("INTERNAL_SERVER_ERROR", ["x INTERNAL_SERVER_ERROR"], ["INTERNAL"]),
    ],
)
def test_terms(pattern: str, matching: list[str], others: list[str]) -> None:
    match = read(pattern).match
    assert all(match(text) for text in matching)
    assert not any(match(text) for text in others)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ('{ $.eventType = "Update*" }', True),
        ("{ $.eventType = UpdateTrail && $.errors > 2 }", True),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ('{ $.missing != "x" }', False),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[*] = "another value" }', True),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList = 2 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.ok IS TRUE }", True),
        ("{ $.ok IS FALSE }", False),
        ("{ $.errors >= 3 && ($.latency < 10 || $.latency > 12) }", True),
        ("{ ($.errors = 4) || ($.errors = 3) && $.ok IS FALSE }", False),
        ("{ $.errors = 3 || $.errors = 4 && $.ok IS FALSE }", True),
        ("{ $.latency = %^12% }", False),  # a number is no text
        ("{ $.eventType = %^Upd.*l$% }", True),
        ("{ $['cluster.name'] = c }", True),
    ],
)
def test_json(pattern: str, matches: bool) -> None:
    assert bool(read(pattern).match(SENT)) is matches
    assert not read(pattern).match("no JSON")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("[ip, id, user, timestamp, request, status_code, bytes]", True),
        ("[ip, id, user, timestamp, request, status_code = 4*, bytes > 1000]", True),
        ("[ip, id, user, timestamp, request, status_code = 404 || status_code = 410, bytes]", True),
        ("[ip, id, user, timestamp, request, status_code = 5*, bytes]", False),
        ("[ip, id, user]", False),
        ("[ip, ..., bytes]", True),
        ("[..., request = *html*, status_code = 4*, bytes]", True),
        ("[ip = %127\\.0\\.0\\.[1-9]%, ...]", True),
        ("[..., status_code != 404, bytes]", False),
    ],
)
def test_fields(pattern: str, matches: bool) -> None:
    assert bool(read(pattern).match(ACCESS)) is matches


def test_values_for_metrics() -> None:
    fields = read("[..., bytes]").match(ACCESS)
    assert fields is not None and fields("$bytes") == "1534"
    fields = read("{ $.latency = * }").match(SENT)
    assert fields is not None and fields("$.latency") == 12.5 and fields("$.none") is None


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.a = 1",
        "{ a = 1 }",
        "{ $.a ~ 1 }",
        "{ $.a > x }",
        "{ ($.a = 1 }",
        "{}",
        "[a, b",
        "[a, ..., b, ...]",
        "a!",
        '"open',
    ],
)
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        read(pattern)
