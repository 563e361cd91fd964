"""S3's DeleteObjects: each key is judged by itself, and the answer is 200 with the refused ones listed in it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from local_aws.calls import Call

_OBJECT = re.compile(rb"<Object>.*?</Object>", re.DOTALL)


def leave_out(call: Call, refused: list[tuple[int, str, str]]) -> None:
    """Take objects out of the request. `refused`: the place of each in it, its key, and the sentence for the caller."""
    places = {place for place, _, _ in refused}
    numbers = iter(range(len(refused) + call.body.count(b"<Object>")))
    body = _OBJECT.sub(lambda found: b"" if next(numbers) in places else found[0], call.body)
    call.environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "local_aws.refused": refused}
    # They are of the body as it was; moto would compare.
    for name in [n for n in call.environ if n.startswith("HTTP_X_AMZ_CHECKSUM_") or n == "HTTP_CONTENT_MD5"]:
        del call.environ[name]


def answer(application: Any, call: Call, start_response: Any) -> Iterable[bytes]:
    """Let the rest of the request through, if there is one, and list in its answer what was left out."""
    said = "".join(
        f"<Error><Key>{escape(key)}</Key><Code>AccessDenied</Code><Message>{escape(why)}</Message></Error>"
        for _, key, why in call.environ["local_aws.refused"]
    ).encode()
    body, status, kept = b"<DeleteResult></DeleteResult>", "200 OK", [("Content-Type", "application/xml")]
    if b"<Object>" in call.environ["wsgi.input"].getvalue():

        def keep(given: str, headers: list[tuple[str, str]], *rest: Any) -> None:
            nonlocal status, kept
            status, kept = given, [(n, v) for n, v in headers if n.lower() != "content-length"]

        body = b"".join(application(call.environ, keep))
    if b"</DeleteResult>" in body:
        body = body.replace(b"</DeleteResult>", said + b"</DeleteResult>")
    elif b"<DeleteResult" in body:  # <DeleteResult …/>
        body = re.sub(
            rb"<DeleteResult([^>]*)/>", lambda found: b"<DeleteResult%s>%s</DeleteResult>" % (found[1], said), body
        )
    start_response(status, [*kept, ("Content-Length", str(len(body)))])
    return [body]
