"""How EMR explains a failure: a cluster's ErrorDetails, a step's FailureDetails."""

from typing import Any

from local_emr.logs import log_key
from local_emr.store import Cluster, Step

BOOTSTRAP_CODE = "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE"
DOCUMENTATION = f"https://docs.aws.amazon.com/emr/latest/ManagementGuide/{BOOTSTRAP_CODE}.html"


def bootstrap(number: int, path: str, code: int, master: str) -> tuple[str, dict[str, Any]]:
    """(message of the state change, one of ErrorDetails) when a bootstrap action fails on the primary node."""
    message = f"On the master instance ({master}), bootstrap action {number} returned a non-zero return code"
    data = {
        "primary-instance-id": master,
        "bootstrap-action": str(number),
        "return-code": str(code),
        "amazon-s3-path": path,
        "public-doc": DOCUMENTATION,
    }
    pairs = [{key: value} for key, value in data.items()]
    return message, {"ErrorCode": BOOTSTRAP_CODE, "ErrorData": pairs, "ErrorMessage": message}


def step(cluster: Cluster, failed: Step) -> dict[str, str]:
    """A step's FailureDetails, as EMR gives them for all that it does not understand."""
    details = {"Reason": "Unknown Error."}
    if log_uri := failed.get("LogUri") or cluster["_LogUri"]:
        bucket, key = log_key(log_uri, cluster["Id"], f"steps/{failed['Id']}/stderr.gz")
        details["LogFile"] = f"s3://{bucket}/{key}"
    return details
