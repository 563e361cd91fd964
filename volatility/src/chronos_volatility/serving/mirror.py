"""The optional mirror of the forecasts in a DynamoDB table: key `as_of_date`, one item a session.

The table has what the storage has, for who reads by key at high rates. It is written after the storage, and never corrected.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from chronos_training.core import aws
from chronos_volatility.serving.predictions import Served, Source, parse

VARIABLE = "VOLATILITY_MIRROR"
LATEST = "latest"
"""The item whose `body` is the date of the last session."""


class Mirror:
    """The table `name`, before the storage: what it lacks is read there."""

    def __init__(self, name: str, stored: Source, *, client: Any = None) -> None:
        """`client` is one of DynamoDB, made when it is not given."""
        self.name, self._stored = name, stored
        self._dynamodb = client or aws.client("dynamodb")

    def keep(self, served: Served) -> None:
        """Put the forecast in the table, unless it is there; the last session's item moves forward only."""
        self._put(served.as_of_date, served.to_json().decode(), "attribute_not_exists(as_of_date)", {})
        values = {":date": {"S": served.as_of_date}}
        self._put(LATEST, served.as_of_date, "attribute_not_exists(as_of_date) OR body < :date", values)

    def of(self, date: str) -> Served | None:
        """See `Source.of`."""
        body = self._get(date)
        return self._stored.of(date) if body is None else parse(body.encode(), f"{self.name}: {date}")

    def latest(self) -> Served | None:
        """See `Source.latest`."""
        date = self._get(LATEST)
        return self._stored.latest() if date is None else self.of(date)

    def nearest(self, date: str) -> str | None:
        """See `Source.nearest`."""
        return self._stored.nearest(date)

    def _get(self, key: str) -> str | None:
        with aws.explained(f"read {key} of the table {self.name}"):
            found = self._dynamodb.get_item(TableName=self.name, Key={"as_of_date": {"S": key}}, ConsistentRead=True)
        return found["Item"]["body"]["S"] if "Item" in found else None

    def _put(self, key: str, body: str, condition: str, values: dict[str, Any]) -> None:
        item = {
            "as_of_date": {"S": key},
            "body": {"S": body},
            "written": {"S": datetime.now(timezone.utc).isoformat(timespec="seconds")},
        }
        given = {"ExpressionAttributeValues": values} if values else {}
        with aws.explained(f"write {key} of the table {self.name}"):
            try:
                self._dynamodb.put_item(TableName=self.name, Item=item, ConditionExpression=condition, **given)
            except self._dynamodb.exceptions.ConditionalCheckFailedException:
                return
