"""The job against the original's algorithm and against a bare Spark session, on local EMR: `make bench`.

    python -m benchmarks.job [--images 154560] [--runs 3] [--baseline-runs 1] [--growth 10000 50000 500000]

Prints a table and writes benchmarks/results.md. The cases take turns, and each figure is the median of its runs, so
that a busy machine slows all of them alike: read the ratios.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.bucket import make_bucket
from benchmarks.emr_steps import BUCKET, ROOT, LocalEmr, Ran

JOB, BASELINE, BARE = (
    ROOT / path for path in ("spark/read_fruits_data.py", "benchmarks/baseline_job.py", "benchmarks/bare_session.py")
)
RESULTS = ROOT / "benchmarks" / "results.md"
PASSES = 9  # the baseline's actions, each of which asks S3 for the status of every file


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=154_560)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--baseline-runs", type=int, default=1)
    parser.add_argument("--growth", type=int, nargs="*", default=[10_000, 50_000, 500_000])
    parser.add_argument("--inspected", type=int, default=10_000)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench-"))
    emr = LocalEmr(home)
    try:
        report = measure(emr, options)
    finally:
        emr.stop()
        shutil.rmtree(home)
    print(report)
    RESULTS.write_text(report)


def measure(emr: LocalEmr, options: argparse.Namespace) -> str:
    """Run every case in turn; gives the report, in Markdown."""
    for images in {options.images, options.inspected, *options.growth}:
        make_bucket(emr.bucket / str(images), images)
    ran: dict[str, list[Ran]] = defaultdict(list)
    run(emr, BARE)  # the first step also prepares what later ones find ready
    for turn in range(options.runs):
        ran["bare"].append(run(emr, BARE))
        ran["ours"].append(run(emr, JOB, options.images))
        for images in options.growth:
            ran[f"growth {images}"].append(run(emr, JOB, images))
        if turn < options.baseline_runs:
            ran["baseline"].append(run(emr, BASELINE, options.images))
        for reader in ("listing", "binaryfile"):
            ran[f"inspect {reader}"].append(run(emr, JOB, options.inspected, "--inspect", "--reader", reader))
    return "\n".join([*headline(ran, options), *growth(ran, options), *stages(ran), *machine(options)]) + "\n"


def run(emr: LocalEmr, script: Path, images: int = 0, *more: str) -> Ran:
    """Run one step into a folder of its own, which is then removed."""
    output = emr.bucket / "output"
    arguments = [f"s3://{BUCKET}/{images}/", f"s3://{BUCKET}/output/", *more] if images else []
    result = emr.run(script, *arguments)
    shutil.rmtree(output, ignore_errors=True)
    print(f"{script.name:<24} {images:>9,} {' '.join(more):<32} {result.seconds:7.1f} s", flush=True)
    return result


def seconds(runs: list[Ran]) -> float:
    """Give the median."""
    return statistics.median(one.seconds for one in runs)


def stage(runs: list[Ran], name: str) -> float:
    """Give the median seconds of one stage, as the job says them."""
    return statistics.median(float(re.search(rf"\b{name} ([\d.]+) s", one.stdout)[1]) for one in runs)  # type: ignore[index]


def headline(ran: dict[str, list[Ran]], options: argparse.Namespace) -> list[str]:
    """The table of the figures that are aimed at."""
    bare, ours, baseline = (seconds(ran[case]) for case in ("bare", "ours", "baseline"))
    requests = statistics.median(one.requests for one in ran["ours"])
    inspections = (ran[f"inspect {reader}"] for reader in ("listing", "binaryfile"))
    looked, binary = (options.inspected / stage(runs, "inspection") for runs in inspections)
    original = f"the original's algorithm ({baseline:.1f} s) divided by ours ({ours:.1f} s)"
    asked = (
        f"S3 requests per image ({requests:,.0f} in all; the original: {PASSES}, computed, a HEAD per image and action)"
    )
    seen = f"`--inspect`, images per second ({looked:,.0f}), against binaryFile with the same decoding ({binary:,.0f})"
    return [
        f"# The job, measured: {options.images:,} images on local EMR",
        "",
        "| | must | aim | measured |",
        "| --- | --- | --- | --- |",
        f"| {original} | 12 | 15 | {baseline / ours:.1f} |",
        f"| ours divided by a bare Spark session ({bare:.1f} s) | 1.8 | 1.5 | {ours / bare:.2f} |",
        f"| {asked} | 0.01 | 0.002 | {requests / options.images:.4f} |",
        f"| {seen} | 3 | 5 | {looked / binary:.1f} |",
        "",
    ]


def growth(ran: dict[str, list[Ran]], options: argparse.Namespace) -> list[str]:
    """The table of time and memory against size."""
    bare = seconds(ran["bare"])
    cases = sorted([(images, ran[f"growth {images}"]) for images in options.growth] + [(options.images, ran["ours"])])
    rows = []
    for images, runs in cases:
        more = seconds(runs) - bare
        figures = (f"{images:,}", f"{seconds(runs):.1f}", f"{more:.1f}", f"{more / images * 1e6:.0f}")
        rows.append(f"| {' | '.join((*figures, peak(runs, 'java'), peak(runs, 'worker')))} |")
    return [
        "## Growth",
        "",
        "| images | step, s | over the bare session, s | a million, s | JVM, peak MiB | largest worker, peak MiB |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        "The JVM is driver and executor in one here, and takes what heap it is allowed before it collects garbage.",
        "",
    ]


def peak(runs: list[Ran], kind: str) -> str:
    """Give the largest peak."""
    return f"{max(one.memory.get(kind, 0) for one in runs):,}"


def stages(ran: dict[str, list[Ran]]) -> list[str]:
    """Say where the time of our job goes."""
    names = ("listing", "report", "writing", "statistics")
    shown = ", ".join(f"{name} {stage(ran['ours'], name):.1f} s" for name in names)
    rest = seconds(ran["ours"]) - sum(stage(ran["ours"], name) for name in names)
    return [
        "## Where the time goes",
        "",
        f"{shown}; starting and stopping Spark {rest:.1f} s. The rules run in the listing's own pass, row by row.",
        "",
    ]


def machine(options: argparse.Namespace) -> list[str]:
    """Say what it was measured on."""
    return [
        f"Medians of {options.runs} turns (the original: {options.baseline_runs}), seconds of the whole EMR step; "
        f"{platform.machine()}, Python {platform.python_version()}, Spark 3.5.6.",
    ]


if __name__ == "__main__":
    main()
