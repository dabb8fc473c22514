"""cleanup: only ever the output and the logs; what resists is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from scripts.aws import Clients
from scripts.cleanup import Deleted, count, delete
from scripts.config import Settings
from scripts.errors import AwsError, WorkflowError

Make = Callable[..., Settings]
STATS = "output/etape_1/stats_20250115_102345/"


@pytest.fixture
def full(bucket: Any) -> Any:
    names = (
        "data/fruits-360/Training/Kiwi/1.jpg",
        f"{STATS}a",
        f"{STATS}b/c",
        "output/etape_10/stats_20250115_102345/d",
    )
    bucket.put(dict.fromkeys((*names, "logs/emr/j-1/x.gz", "logs/emr-serverless/y", "scripts/job.py"), "1"))
    return bucket


def test_counts_and_deletes_the_output_and_nothing_that_only_begins_alike(
    clients: Clients, settings: Settings, full: Any
) -> None:
    assert count(clients, settings, settings.output_prefix) == 2
    assert delete(clients, settings, settings.output_prefix) == Deleted(2, {})

    assert full.keys() == [
        "data/fruits-360/Training/Kiwi/1.jpg",
        "logs/emr-serverless/y",
        "logs/emr/j-1/x.gz",
        "output/etape_10/stats_20250115_102345/d",
        "scripts/job.py",
    ]


def test_what_no_run_can_have_written_stays_wherever_it_lies(clients: Clients, settings: Settings, bucket: Any) -> None:
    """A prefix is a setting, and may be mistaken: OUTPUT_PREFIX where the images are."""
    mine = [
        "logs/emr/notes.txt",
        "logs/emr/x/j-1/a.gz",
        "output/etape_1/Training/Kiwi/1.jpg",
        "output/etape_1/my_stats_20250115_102345/a",
        "output/etape_1/stats.csv",
        "output/etape_1/stats_2025/a",
        "output/etape_1/stats_20250115_102345",
    ]
    ours = [f"{STATS}_SUCCESS", "output/etape_1/metadata_20250115_102345/part-0.csv", "logs/emr/j-1/node/x.gz"]
    bucket.put(dict.fromkeys([*mine, *ours], "1"))

    assert delete(clients, settings, settings.output_prefix) == Deleted(2, {})
    assert delete(clients, settings, settings.logs_prefix) == Deleted(1, {})

    assert bucket.keys() == mine


def test_deletes_the_logs(clients: Clients, settings: Settings, full: Any) -> None:
    assert delete(clients, settings, settings.logs_prefix).count == 1
    assert full.keys("logs/") == ["logs/emr-serverless/y"]


def test_nothing_to_delete_is_nothing_deleted(clients: Clients, settings: Settings, bucket: Any) -> None:
    assert count(clients, settings, settings.logs_prefix) == 0
    assert delete(clients, settings, settings.logs_prefix) == Deleted(0, {})


@pytest.mark.parametrize("prefix", ["", "/", "data/fruits-360/", "scripts/", "output/", "output/etape_1", "logs/"])
@pytest.mark.parametrize("act", [count, delete])
def test_no_other_prefix_is_ever_touched(
    clients: Clients, settings: Settings, full: Any, act: Callable[..., object], prefix: str
) -> None:
    before = full.keys()

    with pytest.raises(WorkflowError, match="neither output nor logs"):
        act(clients, settings, prefix)

    assert full.keys() == before


def next_page(stub: Stubber, page: int, size: int, *, last: bool) -> list[str]:
    """The next call lists this page of the output; its keys."""
    keys = [f"{STATS}{page}/{n}" for n in range(size)]
    answer = {"KeyCount": size, "IsTruncated": not last, "Contents": [{"Key": key, "Size": 1} for key in keys]}
    expected = {"Bucket": "fruits-test", "Prefix": "output/etape_1/"}
    if page:
        expected["ContinuationToken"] = f"token {page}"
    stub.add_response(
        "list_objects_v2", answer | ({} if last else {"NextContinuationToken": f"token {page + 1}"}), expected
    )
    return keys


def next_deletion(stub: Stubber, keys: list[str], refused: list[dict[str, str]]) -> None:
    """The next call deletes exactly these keys."""
    expected = {"Bucket": "fruits-test", "Delete": {"Objects": [{"Key": key} for key in keys], "Quiet": True}}
    stub.add_response("delete_objects", {"Errors": refused} if refused else {}, expected)


def test_every_page_is_counted(clients: Clients, settings: Settings, s3_answers: Stubber) -> None:
    next_page(s3_answers, 0, 1000, last=False)
    next_page(s3_answers, 1, 1000, last=False)
    next_page(s3_answers, 2, 3, last=True)

    assert count(clients, settings, settings.output_prefix) == 2003


def test_a_thousand_keys_a_request_and_those_that_are_refused_are_named(
    clients: Clients, settings: Settings, s3_answers: Stubber
) -> None:
    first = next_page(s3_answers, 0, 1000, last=False)
    next_deletion(s3_answers, first, [{"Key": first[7], "Code": "AccessDenied", "Message": "Access Denied"}])
    second = next_page(s3_answers, 1, 2, last=True)
    next_deletion(s3_answers, second, [])

    deleted = delete(clients, settings, settings.output_prefix)

    assert deleted == Deleted(1001, {first[7]: "AccessDenied: Access Denied"})


def test_a_bucket_that_refuses_altogether_is_an_error(
    clients: Clients, settings: Settings, s3_answers: Stubber
) -> None:
    s3_answers.add_client_error("list_objects_v2", "AccessDenied", "no", 403)

    with pytest.raises(AwsError, match="deleting s3://fruits-test/output/etape_1/: AccessDenied"):
        delete(clients, settings, settings.output_prefix)
