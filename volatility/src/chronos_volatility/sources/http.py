"""One GET of a public address, with errors as sentences and a few tries."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping

from chronos_volatility.sources.base import SourceBusy, SourceError

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 3
AGENT = {"User-Agent": "chronos-volatility/0.1"}

Get = Callable[[str, Mapping[str, str]], bytes]


def get(url: str, parameters: Mapping[str, str], *, sleep: Callable[[float], None] = time.sleep) -> bytes:
    """Return the body at `url`, which begins with https. SourceBusy when there is none just now, SourceError when refused.

    `parameters` are not shown in errors: a key may be among them.
    """
    address = f"{url}?{urllib.parse.urlencode(parameters)}" if parameters else url
    request = urllib.request.Request(address, headers=AGENT)  # noqa: S310 # the callers' constants
    for attempt in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code != 429 and error.code < 500:
                raise SourceError(f"{url} answers {error.code}.") from error
            failure = SourceBusy(f"{url} answers {error.code}.")
        except (OSError, http.client.HTTPException) as error:
            failure = SourceBusy(
                f"{url} does not answer: {getattr(error, 'reason', None) or error or type(error).__name__}."
            )
        if attempt < ATTEMPTS - 1:
            sleep(2.0**attempt)
    raise failure
