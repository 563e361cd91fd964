"""Items whose time to live is over are deleted, once an hour. moto stores the setting and keeps them.

AWS takes up to a few days: whoever reads must filter in any case.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends

from local_aws.clock import Timer
from local_aws.services.aws import Aws

PERIOD = 3600.0
LONGEST_AGO = 5 * 365 * 86400.0  # AWS takes an older time for a mistake
_timers: dict[str, Timer] = {}  # by the table's ARN


def close_gap(aws: Aws) -> None:
    stock = DynamoDBBackend.update_time_to_live

    def update(self: DynamoDBBackend, table_name: str, ttl_spec: dict[str, Any]) -> None:
        stock(self, table_name, ttl_spec)
        _set_timer(aws, self.get_table(table_name))

    DynamoDBBackend.update_time_to_live = update
    aws.at_reset(_timers.clear)  # the clock forgets them itself


def resume(aws: Aws) -> None:
    """Go on with the tables of before a crash."""
    with aws.lock:
        for regions in list(dynamodb_backends.values()):
            for backend in list(regions.values()):
                for table in list(backend.tables.values()):
                    _set_timer(aws, table)


def _set_timer(aws: Aws, table: Any) -> None:
    timer = _timers.pop(table.table_arn, None)
    if timer is not None:
        timer.cancel()
    if table.ttl["TimeToLiveStatus"] == "ENABLED":
        what = f"DynamoDB deletes expired items of {table.name}"
        expire = functools.partial(_expire, aws, table)
        _timers[table.table_arn] = aws.clock.call_after(PERIOD, what, expire)


def _expire(aws: Aws, table: Any) -> None:
    with aws.lock:
        if table not in dynamodb_backends[table.account_id][table.region_name].tables.values():
            _timers.pop(table.table_arn, None)
            return
        for hash_key, range_key in list(_expired(table, aws.clock.now())):
            table.delete_item(hash_key, range_key)
        _set_timer(aws, table)


def _expired(table: Any, now: float) -> Iterator[tuple[Any, Any]]:
    for item in table.all_items():
        until = item.attrs.get(table.ttl["AttributeName"])
        if until is not None and until.is_number() and now - LONGEST_AGO < float(until.value) <= now:
            yield item.hash_key, item.range_key
