"""What can go wrong, as exceptions that say what was being done, what went wrong, and what to do.

Each knows the exit code that tasks.py ends with. Must not know how anything is shown, or which command is running.

    0 done, or nothing to do    1 failed    2 wrong settings or usage    3 stopped watching, it still runs    130 Ctrl-C
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum


class WorkflowError(Exception):
    """Something failed, in one line: what was being done, what went wrong, what to do."""

    exit_code = 1

    def __init__(self, doing: str, problem: str, remedy: str = "") -> None:
        super().__init__(doing, problem, remedy)
        self.doing, self.problem, self.remedy = doing, _one_line(problem), remedy

    def __str__(self) -> str:
        said = f"{self.doing}: {self.problem}"
        if not self.remedy:
            return said
        return f"{said}{'' if said.endswith(('.', '!', '?')) else '.'} {self.remedy}"


class UsageError(WorkflowError):
    """The command cannot be carried out as it was given."""

    exit_code = 2


class SettingsError(WorkflowError):
    """One or more settings are missing or malformed; `problems` has a line for each, led by the variable's name."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        many = len(self.problems) > 1
        super().__init__(
            "reading the settings",
            f"{len(self.problems)} problems" if many else self.problems[0],
            "Mend it in .env (see .env.example) or in the environment.",
        )


class TimedOut(WorkflowError):
    """The deadline passed while something was still under way: it goes on, only the watching stopped."""

    exit_code = 3


class Trouble(Enum):
    """What a failed call to AWS leaves open, and so what may follow it."""

    REFUSED = "asking again changes nothing"
    THROTTLED = "it was not carried out; it will be, asked later"
    UNANSWERED = "it may have been carried out"
    EXPIRED = "it was not carried out; the credentials must be renewed first"


class AwsError(WorkflowError):
    """A call to AWS failed; `code` is AWS's error code (`AccessDenied`), or botocore's exception name."""

    def __init__(
        self, doing: str, problem: str, remedy: str = "", code: str = "", trouble: Trouble = Trouble.REFUSED
    ) -> None:
        super().__init__(doing, problem, remedy)
        self.code, self.trouble = code, trouble


# AWS spells one trouble in several ways, service by service; each remedy is written once.
RENEW = "Renew the credentials (`aws sso login`, or a new key for AWS_PROFILE)"
_RENEW = f"{RENEW}, then run the command again."
_SIGN_IN = "Set AWS_PROFILE, or run `aws configure` (or `aws sso login`); `inv verify` checks them."
_PERMISSION = "The signed-in user lacks a permission that the message names: ask for it, or use another AWS_PROFILE."
_LATER = "AWS asks for fewer calls: wait a minute and run the command again."
_NETWORK = "Check the network, AWS_REGION and any proxy, then run the command again."
_REMEDIES = {
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "RequestExpired": _RENEW,
    "TokenRetrievalError": _RENEW,
    "UnauthorizedSSOTokenError": _RENEW,
    "SSOTokenLoadError": _RENEW,
    "AuthFailure": _SIGN_IN,
    "InvalidAccessKeyId": _SIGN_IN,
    "InvalidClientTokenId": _SIGN_IN,
    "NoCredentialsError": _SIGN_IN,
    "PartialCredentialsError": _SIGN_IN,
    "ProfileNotFound": _SIGN_IN,
    "SignatureDoesNotMatch": _SIGN_IN,
    "UnrecognizedClientException": _SIGN_IN,
    "400": f"S3 gives no reason here; expired credentials are the usual one. {_RENEW}",
    "403": _PERMISSION,
    "AccessDenied": _PERMISSION,
    "AccessDeniedException": _PERMISSION,
    "UnauthorizedOperation": _PERMISSION,
    "RequestTimeTooSkewed": "This machine's clock is wrong: set it, then run the command again.",
    "SlowDown": _LATER,
    "Throttling": _LATER,
    "ThrottlingException": _LATER,
    "404": "Check the name, AWS_REGION and the account (`inv verify`).",
    "NoSuchBucket": "Check S3_BUCKET; `inv upload` offers to create it.",
    "PreconditionFailed": "It was replaced meanwhile: run the command again.",
    "PermanentRedirect": "The bucket is in another region: set AWS_REGION to it.",
    "ConnectTimeoutError": _NETWORK,
    "ConnectionClosedError": _NETWORK,
    "EndpointConnectionError": _NETWORK,
    "ProxyConnectionError": _NETWORK,
    "ReadTimeoutError": _NETWORK,
    "SSLError": _NETWORK,
}


_EXPIRED = {code for code, remedy in _REMEDIES.items() if remedy is _RENEW}
_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
# The answer never came, so whether the call was carried out is not known.
_UNANSWERED = {
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ConnectionError",
    "EndpointConnectionError",
    "HTTPClientError",
    "IncompleteReadError",
    "ProxyConnectionError",
    "ReadTimeoutError",
    "ResponseStreamingError",
    "SSLError",
}


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Name the work under way: a botocore error inside the block leaves it as an AwsError that starts with `what`.

    Raises:
        AwsError: for every error of boto3 and botocore; anything else passes through untouched.
    """
    try:
        yield
    except WorkflowError:
        raise
    except Exception as error:
        translated = from_aws(what, error)
        if translated is None:
            raise
        raise translated from error


def from_aws(what: str, error: Exception) -> AwsError | None:
    """The AwsError that says `error` in our words; None for an error that is not AWS's."""
    # Imported here: `inv --list` needs this module, and must not pay for botocore.
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        code, message = said.get("Code", ""), said.get("Message", "")
        status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        problem = f"{code}: {message}" if message else f"{error.operation_name} answered {code or status}"
        remedy = _REMEDIES.get(code) or _REMEDIES.get(status, "")
        return AwsError(what, problem, remedy, code, _trouble(code, status))
    if isinstance(error, (BotoCoreError, Boto3Error)):
        code = type(error).__name__
        return AwsError(what, str(error), _REMEDIES.get(code, ""), code, _trouble(code, ""))
    return None


def _trouble(code: str, status: str) -> Trouble:
    if code in _EXPIRED:
        return Trouble.EXPIRED
    if code in _THROTTLED:
        return Trouble.THROTTLED
    return Trouble.UNANSWERED if code in _UNANSWERED or status.startswith("5") else Trouble.REFUSED


def _one_line(text: str) -> str:
    return " ".join(text.split())
