"""What ends the job, said in one sentence to whoever submitted it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException


class JobError(Exception):
    """What the job cannot go on from, in one sentence for whoever submitted it."""


@contextmanager
def said_as(what: str) -> Iterator[None]:
    """Turn an error of Spark, S3 or a missing package into a JobError: `what`, and the reason in a line."""
    try:
        yield
    except JobError:
        raise
    except (PySparkException, Py4JJavaError, OSError, ImportError) as error:
        raise JobError(f"{what}: {reason(error)}") from error
    except Exception as error:
        if type(error).__module__.startswith("obstore"):
            raise JobError(f"{what}: {reason(error)}") from error
        raise


def reason(error: BaseException) -> str:
    """Give the line of an error that says why, without class names, traces and XML."""
    text = str(error)
    if isinstance(error, Py4JJavaError):
        cause = error.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        text = cause.toString()
    in_a_worker = re.search(r"JobError: (.+)", text)
    if in_a_worker:
        return in_a_worker[1]
    in_s3 = re.search(r"<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", text, re.DOTALL)
    if in_s3:
        return f"{in_s3[1]}: {in_s3[2]}"
    return re.sub(r"^\[[A-Z_.]+\] ", "", text.strip().partition("\n")[0])
