"""GitHub's issuer of tokens, as far as a workflow needs it: what a job asks for, signed with a key of this embedded AWS.

https://docs.github.com/en/actions/reference/security/oidc
"""

from __future__ import annotations

import time
import uuid

from joserfc import jwt
from joserfc.jwk import RSAKey

from local_aws.home import Home, write_atomically

ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
LIFETIME = 300  # seconds
_ALGORITHM = "RS256"


def signing_key(home: Home) -> RSAKey:
    """Return the issuer's key, made when it is first needed."""
    file = home.path / "github-issuer.pem"
    if not file.exists():
        home.create()
        write_atomically(file, RSAKey.generate_key(2048).as_pem(private=True).decode())
    return RSAKey.import_key(file.read_text())


def token(
    home: Home, repository: str, *, ref: str = "refs/heads/main", environment: str = "", audience: str = AUDIENCE
) -> str:
    """Return what a job of `repository` (owner/name) is given. Its subject names the environment, if it has one.

    A pull request's ref is `refs/pull/1/merge`. owner@number/name@number is a repository with immutable subjects.
    """
    owner, name = (part.partition("@") for part in repository.split("/"))
    subject = f"environment:{environment}" if environment else f"ref:{ref}"
    if not environment and ref.startswith("refs/pull/"):
        subject = "pull_request"
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": f"repo:{repository}:{subject}",
        "aud": audience,
        "iat": now,
        "nbf": now - 5,
        "exp": now + LIFETIME,
        "jti": str(uuid.uuid4()),
        "repository": f"{owner[0]}/{name[0]}",
        "repository_id": name[2] or "2",
        "repository_owner": owner[0],
        "repository_owner_id": owner[2] or "1",
        "ref": ref,
        "event_name": "pull_request" if ref.startswith("refs/pull/") else "push",
        **({"environment": environment} if environment else {}),
    }
    return jwt.encode({"alg": _ALGORITHM, "typ": "JWT"}, claims, signing_key(home))


def verified(home: Home, text: str) -> dict[str, object]:
    """Return a token's claims. Raises joserfc's JoseError, or ValueError, when it is not signed by this issuer."""
    return dict(jwt.decode(text, signing_key(home), algorithms=[_ALGORITHM]).claims)
