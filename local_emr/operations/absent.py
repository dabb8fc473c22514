"""EMR Studio, notebooks and interactive sessions: not on local EMR, and its answers say so as an account without them.

Lists are empty, as they are for who never made one; what names one of them does not exist; what would make one is
refused by the protocol, as every operation that local EMR has not.
"""

from typing import Any

from local_emr.errors import invalid_request
from local_emr.operations.context import Emr

Answer = dict[str, Any]


def list_studios(emr: Emr, region: str, Marker: str | None = None) -> Answer:
    return {"Studios": []}


def list_studio_session_mappings(emr: Emr, region: str, **filters: Any) -> Answer:
    return {"SessionMappings": []}


def list_notebook_executions(emr: Emr, region: str, **filters: Any) -> Answer:
    return {"NotebookExecutions": []}


def list_sessions(emr: Emr, region: str, ClusterId: str, **filters: Any) -> Answer:
    emr.cluster(region, ClusterId)
    return {"Sessions": []}


def no_studio(emr: Emr, region: str, **request: Any) -> Answer:
    """For operations that name a studio."""
    raise invalid_request("Studio does not exist.")


def no_notebook(emr: Emr, region: str, NotebookExecutionId: str) -> Answer:
    raise invalid_request(f"Notebook execution id '{NotebookExecutionId}' is not valid.")
