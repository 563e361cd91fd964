"""The mail that the embedded AWS has sent: a maildir, `mail` in its home, which any mail reader opens."""

from __future__ import annotations

import email
import email.policy
import mailbox
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from local_aws.home import Home


@dataclass(frozen=True)
class Mail:
    """One mail. `text` is its body as a person reads it."""

    date: str
    sender: str
    to: str
    subject: str
    text: str


def folder(home: Home) -> Path:
    """Return where mail is kept."""
    return home.path / "mail"


def deliver(home: Home, message: EmailMessage) -> None:
    """Put a mail into the maildir."""
    mailbox.Maildir(folder(home)).add(message)


def read(home: Home) -> list[Mail]:
    """Return every mail, the oldest first."""
    if not folder(home).is_dir():
        return []
    box = mailbox.Maildir(folder(home), create=False)
    # A key begins with the second and the microsecond of the delivery.
    keys = sorted(box.keys(), key=lambda key: (int(key.split(".")[0]), _microseconds(key)))
    return [_mail(box.get_bytes(key)) for key in keys]


def _microseconds(key: str) -> int:
    return int(key.split("M", 1)[1].split("P", 1)[0])


def _mail(raw: bytes) -> Mail:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    body = message.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    return Mail(*(str(message[name]) for name in ("Date", "From", "To", "Subject")), text)
