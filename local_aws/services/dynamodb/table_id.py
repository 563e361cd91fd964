"""A table has an id, which tells it from an earlier one of the same name. moto's has none, and the collection's module needs it.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
"""

from __future__ import annotations

import uuid
from typing import Any

from moto.dynamodb.models.table import Table

from local_aws.services import patching


def close_gap() -> None:
    stock = Table.describe

    def describe(self: Table, base_key: str = "TableDescription") -> dict[str, Any]:
        described: dict[str, Any] = stock(self, base_key)
        told: dict[str, Any] = described[base_key]
        told.setdefault("TableId", str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.table_arn} {self.created_at}")))
        return described

    patching.replace(Table, describe=describe)
