"""What a DynamoDB request needs: an action for each item that it touches, with the item's partition key as dynamodb:LeadingKeys.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from local_aws.calls import Call
from local_aws.iam.policies import Need

_WITHOUT_TABLE = {"ListTables", "DescribeLimits", "DescribeEndpoints", "ListBackups", "ListStreams"}
_ON_TABLE = {
    "CreateTable", "DeleteTable", "DescribeTable", "UpdateTable", "DescribeTimeToLive", "UpdateTimeToLive",
    "DescribeContinuousBackups", "UpdateContinuousBackups", "Scan", "CreateBackup",
}  # fmt: skip
_ON_ITEM = {"GetItem": "Key", "DeleteItem": "Key", "UpdateItem": "Key", "PutItem": "Item"}
_BY_ARN = {"TagResource", "UntagResource", "ListTagsOfResource", "GetResourcePolicy", "PutResourcePolicy"}
_IN_TRANSACTION = {
    "Get": ("GetItem", "Key"),
    "Put": ("PutItem", "Item"),
    "Update": ("UpdateItem", "Key"),
    "Delete": ("DeleteItem", "Key"),
    "ConditionCheck": ("ConditionCheckItem", "Key"),
}


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, action = call.parameters, call.action
    tables = _Tables(call.region, account)
    if action in _WITHOUT_TABLE:
        return [Need(f"dynamodb:{action}", "*")]
    if action in _BY_ARN:
        return [Need(f"dynamodb:{action}", given.get("ResourceArn", ""))]
    if action in _ON_TABLE:
        needs = [Need(f"dynamodb:{action}", tables.arn(given.get("TableName", ""), given.get("IndexName", "")))]
        if action == "CreateTable" and "Tags" in given:
            needs.append(Need("dynamodb:TagResource", needs[0].resource))
        return needs
    if action in _ON_ITEM:
        return [tables.need(action, given.get("TableName", ""), [_loaded(given, _ON_ITEM[action])])]
    if action == "Query":
        return [_query(given, tables)]
    if action in ("BatchGetItem", "BatchWriteItem"):
        return [
            tables.need(action, table, _keys(action, asked)) for table, asked in _loaded(given, "RequestItems").items()
        ]
    if action in ("TransactGetItems", "TransactWriteItems"):
        return [
            tables.need(operation, request["TableName"], [request.get(part, {})])
            for item in json.loads(given.get("TransactItems", "[]"))
            for kind, request in item.items()
            for operation, part in [_IN_TRANSACTION[kind]]
        ]
    return None  # PartiQL, streams, exports: nobody here asks for them


class _Tables:
    """Tables of one region, for the ARNs and partition keys of a request."""

    def __init__(self, region: str, account: str) -> None:
        self._prefix = f"arn:aws:dynamodb:{region}:{account}:table/"
        self._tables = dynamodb_backends[account][region].tables

    def arn(self, name: str, index: str = "") -> str:
        table = name if name.startswith("arn:") else self._prefix + name
        return f"{table}/index/{index}" if index else table

    def partition_key(self, name: str, index: str = "") -> str:
        table = self._tables.get(name.rpartition("/")[2])
        for one in (table.indexes + table.global_indexes) if table is not None and index else ():
            if one.name == index:
                return str(one.hash_key_attr)
        return str(table.hash_key_attr) if table is not None else ""

    def need(self, action: str, name: str, items: list[dict[str, Any]]) -> Need:
        key = self.partition_key(name)
        leading = [str(next(iter(item[key].values()))) for item in items if key in item]
        return Need(f"dynamodb:{action}", self.arn(name), {"dynamodb:leadingkeys": leading} if leading else {})


def _query(given: dict[str, str], tables: _Tables) -> Need:
    index = given.get("IndexName", "")
    key = tables.partition_key(given.get("TableName", ""), index)
    names = _loaded(given, "ExpressionAttributeNames")
    values = _loaded(given, "ExpressionAttributeValues")
    leading = []
    for name, value in re.findall(r"([#\w]+)\s*=\s*(:\w+)", given.get("KeyConditionExpression", "")):
        if names.get(name, name) == key and value in values:
            leading.append(str(next(iter(values[value].values()))))
    context: dict[str, str | list[str]] = {"dynamodb:leadingkeys": leading} if leading else {}
    return Need("dynamodb:Query", tables.arn(given.get("TableName", ""), index), context)


def _keys(action: str, asked: Any) -> list[dict[str, Any]]:
    if action == "BatchGetItem":
        return list(asked.get("Keys", []))
    return [
        (one.get("PutRequest") or {}).get("Item") or (one.get("DeleteRequest") or {}).get("Key", {}) for one in asked
    ]


def _loaded(given: dict[str, str], name: str) -> dict[str, Any]:
    return json.loads(given.get(name) or "{}")  # type: ignore[no-any-return]
