"""Lines on stderr as Spark's and YARN's clients log them."""

import sys
import time

REPORT = """\
\t client token: N/A
\t diagnostics: {diagnostics}
\t ApplicationMaster host: {host}
\t ApplicationMaster RPC port: {port}
\t queue: default
\t start time: {start}
\t final status: {final}
\t tracking URL: http://localhost:20888/proxy/{application}/
\t user: hadoop"""


def line(level: str, source: str, text: str) -> str:
    """`25/01/15 10:23:45 INFO Client: text`"""
    return f"{time.strftime('%y/%m/%d %H:%M:%S')} {level} {source}: {text}"


def log(level: str, source: str, text: str) -> None:
    print(line(level, source, text), file=sys.stderr, flush=True)


def report(
    application: str,
    state: str,
    start_ms: int,
    final: str = "UNDEFINED",
    diagnostics: str = "N/A",
    details: bool = True,
) -> None:
    """One `Application report`; YARN's client adds the details when the state has changed."""
    text = f"Application report for {application} (state: {state})"
    if not details:
        return log("INFO", "Client", text)
    started = state != "ACCEPTED"
    block = REPORT.format(
        diagnostics=diagnostics,
        host="localhost" if started else "N/A",
        port=0 if started else -1,
        start=start_ms,
        final=final,
        application=application,
    )
    log("INFO", "Client", text)
    return log("INFO", "Client", f"\n{block}")
