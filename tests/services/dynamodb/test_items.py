"""Conditional writes, who may touch which item, and time to live."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local_aws.testing import EmbeddedAws

TABLE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/predictions"


def allow(*actions: str, resource: str = TABLE_ARN, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}


def refused(call: Any, code: str, **parameters: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call(TableName="predictions", **parameters)
    assert caught.value.response["Error"]["Code"] == code
    return caught.value


@pytest.fixture
def table(aws: EmbeddedAws) -> Any:
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName="predictions",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "date", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "date", "AttributeType": "S"}],
    )
    return dynamodb


def item(date: str, **numbers: float) -> dict[str, Any]:
    return {"date": {"S": date}, **{name: {"N": str(value)} for name, value in numbers.items()}}


def test_of_writers_that_each_ask_to_be_the_first_one_wins(table: Any) -> None:
    def write(number: int) -> bool:
        try:
            table.put_item(
                TableName="predictions",
                Item=item("2026-11-30", writer=number),
                ConditionExpression="attribute_not_exists(#d)",
                ExpressionAttributeNames={"#d": "date"},
            )
        except table.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, wrote in enumerate(pool.map(write, range(8))) if wrote]
    found = table.get_item(TableName="predictions", Key=item("2026-11-30"))["Item"]
    assert won == [int(found["writer"]["N"])]


def test_a_version_is_replaced_only_by_who_has_seen_it(table: Any) -> None:
    table.put_item(TableName="predictions", Item=item("d", version=1))
    update = {
        "Key": item("d"),
        "UpdateExpression": "SET version = :new",
        "ConditionExpression": "version = :seen",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    values = {":seen": {"N": "1"}, ":new": {"N": "2"}}
    table.update_item(TableName="predictions", ExpressionAttributeValues=values, **update)
    error = refused(table.update_item, "ConditionalCheckFailedException", ExpressionAttributeValues=values, **update)
    assert error.response["Item"]["version"] == {"N": "2"}


def test_a_transaction_is_done_as_a_whole_or_not_at_all(table: Any) -> None:
    table.put_item(TableName="predictions", Item=item("taken"))
    puts = [
        {"Put": {"TableName": "predictions", "Item": item(date), "ConditionExpression": "attribute_not_exists(#d)",
                 "ExpressionAttributeNames": {"#d": "date"}}}
        for date in ("new", "taken")
    ]  # fmt: skip
    with pytest.raises(table.exceptions.TransactionCanceledException) as caught:
        table.transact_write_items(TransactItems=puts)
    assert [reason["Code"] for reason in caught.value.response["CancellationReasons"]] == [
        "None",
        "ConditionalCheckFailed",
    ]
    assert "Item" not in table.get_item(TableName="predictions", Key=item("new"))


def test_each_action_is_asked_for(aws: EmbeddedAws, table: Any) -> None:
    reads = aws.client("dynamodb", credentials=aws.new_user("reads", d=allow("dynamodb:GetItem", "dynamodb:Query")))
    table.put_item(TableName="predictions", Item=item("d"))
    assert "Item" in reads.get_item(TableName="predictions", Key=item("d"))
    refused(reads.put_item, "AccessDeniedException", Item=item("d"))
    refused(reads.scan, "AccessDeniedException")
    with pytest.raises(ClientError, match="dynamodb:PutItem"):
        reads.transact_write_items(TransactItems=[{"Put": {"TableName": "predictions", "Item": item("d")}}])
    with pytest.raises(ClientError, match="AccessDenied"):
        reads.batch_write_item(RequestItems={"predictions": [{"PutRequest": {"Item": item("d")}}]})


def test_a_user_may_have_the_items_of_one_key_only(aws: EmbeddedAws, table: Any) -> None:
    condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["mine"]}}
    policy = allow("dynamodb:PutItem", "dynamodb:Query", "dynamodb:BatchWriteItem", **condition)
    mine = aws.client("dynamodb", credentials=aws.new_user("mine", d=policy))
    mine.put_item(TableName="predictions", Item=item("mine"))
    refused(mine.put_item, "AccessDeniedException", Item=item("yours"))
    query = {"KeyConditionExpression": "#d = :d", "ExpressionAttributeNames": {"#d": "date"}}
    found = mine.query(TableName="predictions", ExpressionAttributeValues={":d": {"S": "mine"}}, **query)
    assert found["Count"] == 1
    refused(mine.query, "AccessDeniedException", ExpressionAttributeValues={":d": {"S": "yours"}}, **query)
    both = [{"PutRequest": {"Item": item(date)}} for date in ("mine", "yours")]
    with pytest.raises(ClientError, match="AccessDenied"):
        mine.batch_write_item(RequestItems={"predictions": both})


def test_expired_items_are_deleted_and_the_others_kept(aws: EmbeddedAws, table: Any) -> None:
    ttl = {"Enabled": True, "AttributeName": "until"}
    table.update_time_to_live(TableName="predictions", TimeToLiveSpecification=ttl)
    now = aws.now().timestamp()
    for date, until in {"soon": now + 7200, "later": now + 90000, "ancient": now - 200_000_000}.items():
        table.put_item(TableName="predictions", Item=item(date, until=int(until)))
    table.put_item(TableName="predictions", Item=item("never"))
    aws.advance(1800)
    assert table.scan(TableName="predictions")["Count"] == 4
    aws.advance(4 * 3600)
    left = {found["date"]["S"] for found in table.scan(TableName="predictions")["Items"]}
    assert left == {"later", "ancient", "never"}


def test_moto_keeps_expired_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gap that local_aws/services/dynamodb/expiry.py closes. When this fails, moto closes it itself."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="predictions",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "date", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "date", "AttributeType": "S"}],
        )
        ttl = {"Enabled": True, "AttributeName": "until"}
        client.update_time_to_live(TableName="predictions", TimeToLiveSpecification=ttl)
        client.put_item(TableName="predictions", Item=item("old", until=1_600_000_000))
        assert client.scan(TableName="predictions")["Count"] == 1


def test_a_table_has_an_id_that_another_one_of_its_name_has_not(table: Any) -> None:
    first = table.describe_table(TableName="predictions")["Table"]
    assert first["TableId"] == table.describe_table(TableName="predictions")["Table"]["TableId"]
    table.delete_table(TableName="predictions")
    again = {name: first[name] for name in ("KeySchema", "AttributeDefinitions")}
    second = table.create_table(TableName="predictions", BillingMode="PAY_PER_REQUEST", **again)["TableDescription"]
    assert second["TableId"] != first["TableId"]


@mock_aws
def test_of_moto_alone_it_has_none() -> None:
    """Remove local_aws/services/dynamodb/table_id.py when this fails."""
    schema = {"KeySchema": [{"AttributeName": "date", "KeyType": "HASH"}]}
    attributes = [{"AttributeName": "date", "AttributeType": "S"}]
    dynamodb = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    made = dynamodb.create_table(
        TableName="t", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=attributes, **schema
    )
    assert "TableId" not in made["TableDescription"]
