"""The job's own source, as the step ran it: where a traceback names a line that it could not print."""

from __future__ import annotations

import re

from scripts.aws import Clients
from scripts.errors import WorkflowError, doing
from scripts.explain import Source

_PYTHON = re.compile(r"s3[an]?://(?P<bucket>[^/]+)/(?P<key>\S+\.py)")
_MOST = 1 << 20


def source_of(clients: Clients, cluster_id: str, step_id: str | None) -> Source:
    """A function from a script's name and a line's number to the line; what cannot be read is an empty line."""

    def line_of(name: str, number: int) -> str:
        if not step_id:
            return ""
        try:
            with doing(f"looking at step {step_id}"):
                step = clients.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
            for word in ",".join(step["Config"].get("Args", [])).split(","):  # --py-files is a list in one word
                found = _PYTHON.fullmatch(word)
                if found and word.endswith(f"/{name}"):
                    with doing(f"reading {word}"):
                        body = clients.s3.get_object(Bucket=found["bucket"], Key=found["key"])["Body"]
                        lines = body.read(_MOST).decode(errors="replace").splitlines()
                    return lines[number - 1].strip() if 0 < number <= len(lines) else ""
        except WorkflowError:  # a nicety: the diagnosis stands without it
            return ""
        return ""

    return line_of
