"""Errors say what was being done, what went wrong, what to do; each knows its exit code."""

from __future__ import annotations

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from scripts.errors import AwsError, SettingsError, TimedOut, Trouble, UsageError, WorkflowError, doing, from_aws


def answer(code: str, message: str = "", status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "HeadBucket")  # type: ignore[arg-type]


def test_exit_codes_are_those_of_the_design() -> None:
    assert [
        WorkflowError("a", "b").exit_code,
        AwsError("a", "b").exit_code,
        UsageError("a", "b").exit_code,
        SettingsError(["A: b"]).exit_code,
        TimedOut("a", "b").exit_code,
    ] == [1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (WorkflowError("doing", "problem", "Remedy."), "doing: problem. Remedy."),
        (WorkflowError("doing", "problem!", "Remedy."), "doing: problem! Remedy."),
        (WorkflowError("doing", "problem"), "doing: problem"),
        (WorkflowError("doing", "several\n  lines\tof it"), "doing: several lines of it"),
    ],
)
def test_an_error_is_one_line(error: WorkflowError, text: str) -> None:
    assert str(error) == text


def test_one_wrong_setting_stands_in_the_message_and_several_are_counted() -> None:
    one, two = SettingsError(["A: b"]), SettingsError(["A: b", "C: d"])

    assert "A: b" in str(one)
    assert "2 problems" in str(two)
    assert two.problems == ("A: b", "C: d")


def test_an_aws_error_inside_the_block_says_what_was_being_done() -> None:
    with pytest.raises(AwsError) as caught, doing("looking at the bucket"):
        raise answer("AccessDenied", "User x may not y", 403)

    assert str(caught.value).startswith(
        "looking at the bucket: AccessDenied: User x may not y. The signed-in user lacks"
    )
    assert caught.value.code == "AccessDenied"
    assert isinstance(caught.value.__cause__, ClientError)


def test_what_is_not_aws_passes_untouched() -> None:
    with pytest.raises(ZeroDivisionError), doing("dividing"):
        _ = 1 / 0
    with pytest.raises(KeyboardInterrupt), doing("waiting"):
        raise KeyboardInterrupt


def test_the_innermost_block_names_the_work() -> None:
    with pytest.raises(AwsError) as caught, doing("outer"), doing("inner"):
        raise answer("AccessDenied")

    assert caught.value.doing == "inner"


def test_an_answer_without_a_message_still_says_what_happened() -> None:
    error = from_aws("looking", answer("404", "", 404))

    assert error is not None
    assert error.problem == "HeadBucket answered 404"
    assert "Check the name" in error.remedy


def test_a_code_nobody_has_heard_of_takes_its_remedy_from_the_status() -> None:
    denied, odd = from_aws("x", answer("Nouveau", "no", 403)), from_aws("x", answer("Nouveau", "no", 418))

    assert denied and odd
    assert "lacks a permission" in denied.remedy
    assert odd.remedy == ""


@pytest.mark.parametrize(
    ("error", "code", "remedy"),
    [
        (NoCredentialsError(), "NoCredentialsError", "AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="https://x"), "EndpointConnectionError", "network"),
        (S3UploadFailedError("broken"), "S3UploadFailedError", ""),
        (answer("ExpiredToken", "expired"), "ExpiredToken", "aws sso login"),
        (answer("ThrottlingException", "Rate exceeded"), "ThrottlingException", "wait a minute"),
        (answer("RequestTimeTooSkewed", "late"), "RequestTimeTooSkewed", "clock"),
        (answer("PermanentRedirect", "", 301), "PermanentRedirect", "AWS_REGION"),
        (answer("PreconditionFailed", "changed", 412), "PreconditionFailed", "again"),
    ],
)
def test_the_usual_troubles_come_with_their_remedy(error: Exception, code: str, remedy: str) -> None:
    found = from_aws("x", error)

    assert found is not None
    assert found.code == code
    assert remedy in found.remedy


URL = "https://elasticmapreduce.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (answer("ThrottlingException", "Rate exceeded"), Trouble.THROTTLED),
        (answer("Throttling", "Rate exceeded"), Trouble.THROTTLED),
        (answer("RequestLimitExceeded", "slower", 503), Trouble.THROTTLED),
        (answer("SlowDown", "Reduce your request rate", 503), Trouble.THROTTLED),
        (answer("InternalServerError", "sorry", 500), Trouble.UNANSWERED),
        (answer("503", "", 503), Trouble.UNANSWERED),
        (ConnectionClosedError(endpoint_url=URL), Trouble.UNANSWERED),
        (ReadTimeoutError(endpoint_url=URL), Trouble.UNANSWERED),
        (EndpointConnectionError(endpoint_url=URL), Trouble.UNANSWERED),
        (SSLError(endpoint_url=URL, error="broken"), Trouble.UNANSWERED),
        (answer("ExpiredTokenException", "expired"), Trouble.EXPIRED),
        (answer("ExpiredToken", "expired", 403), Trouble.EXPIRED),
        (TokenRetrievalError(provider="sso", error_msg="expired"), Trouble.EXPIRED),
        (UnauthorizedSSOTokenError(), Trouble.EXPIRED),
        (answer("AccessDeniedException", "no", 403), Trouble.REFUSED),
        (answer("ValidationException", "no"), Trouble.REFUSED),
        (answer("RequestTimeTooSkewed", "late", 403), Trouble.REFUSED),
        (answer("InvalidClientTokenId", "who", 403), Trouble.REFUSED),
        (NoCredentialsError(), Trouble.REFUSED),
        (S3UploadFailedError("broken"), Trouble.REFUSED),
    ],
    ids=lambda value: value.name if isinstance(value, Trouble) else str(value)[:60],
)
def test_what_a_failed_call_leaves_open(error: Exception, trouble: Trouble) -> None:
    found = from_aws("asking", error)

    assert found is not None
    assert found.trouble is trouble


def test_an_error_that_nobody_classified_is_not_tried_again() -> None:
    assert AwsError("asking", "no").trouble is Trouble.REFUSED
