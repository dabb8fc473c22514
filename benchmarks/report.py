"""What benchmarks/job.py has measured, as the page results.md."""

from __future__ import annotations

import argparse
import platform
import re
import statistics

from benchmarks.emr_steps import ROOT, Ran

RESULTS = ROOT / "benchmarks" / "results.md"
PASSES = 9  # the baseline's actions, each of which asks S3 for the status of every file
Cases = dict[str, list[Ran]]


def report(ran: Cases, options: argparse.Namespace) -> str:
    """Give the page, in Markdown."""
    parts = (headline(ran, options), compilers(ran), growth(ran, options), inspection(ran, options), stages(ran))
    return "\n".join([*(line for part in parts for line in part), *machine(options)]) + "\n"


def seconds(runs: list[Ran]) -> float:
    """Give the median."""
    return statistics.median(one.seconds for one in runs)


def stage(runs: list[Ran], name: str) -> float:
    """Give the median seconds of one stage, as the job says them."""
    return statistics.median(float(re.search(rf"\b{name} ([\d.]+) s", one.stdout)[1]) for one in runs)  # type: ignore[index]


def inspected_a_second(ran: Cases, case: str, images: int) -> float:
    """Give the images per second of the inspection alone: not of the session's start, nor of the listing."""
    return images / stage(ran[f"inspect {case}"], "inspection")


def headline(ran: Cases, options: argparse.Namespace) -> list[str]:
    """The table of the figures that are aimed at."""
    bare, ours, baseline = (seconds(ran[case]) for case in ("bare", "ours", "baseline"))
    requests = statistics.median(one.requests for one in ran["ours"])
    looked, binary = (inspected_a_second(ran, f"{way} 0.0", options.inspected) for way in ("listing", "binaryfile"))
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
        f"| {seen}, both over HTTP: [below](#inspection) | 3 | 5 | {looked / binary:.1f} |",
        "",
    ]


def compilers(ran: Cases) -> list[str]:
    """What SPARK_JAVA_OPTIONS does, with the same for the bare session."""
    cases = ("ours", "ours, both compilers", "bare, quick compiler", "bare")
    quick, both, bare_quick, bare = (seconds(ran[case]) for case in cases)
    return [
        "Ours has the Java options of the workflow's step (`SPARK_JAVA_OPTIONS`: the quick compiler alone), the bare "
        "session and the original have Spark's defaults. Seconds with the one and the other:",
        "",
        "| | the quick compiler alone | both compilers, Java's default |",
        "| --- | --- | --- |",
        f"| ours | {quick:.1f} | {both:.1f} |",
        f"| a bare session | {bare_quick:.1f} | {bare:.1f} |",
        f"| ours divided by it | {quick / bare_quick:.2f} | {both / bare:.2f} |",
        "",
    ]


def growth(ran: Cases, options: argparse.Namespace) -> list[str]:
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
        "The JVM is driver and executor in one here, with a heap of 1 GiB, and takes what it may before it collects "
        "garbage.",
        "",
    ]


def peak(runs: list[Ran], kind: str) -> str:
    """Give the largest peak."""
    return f"{max(one.memory.get(kind, 0) for one in runs):,}"


def inspection(ran: Cases, options: argparse.Namespace) -> list[str]:
    """The table of what the two readers make of S3's latency."""
    rows = []
    for latency, images in ((0.0, options.inspected), (options.latency, options.inspected_slowly)):
        looked, binary = (inspected_a_second(ran, f"{way} {latency}", images) for way in ("listing", "binaryfile"))
        rows.append(f"| {latency * 1000:.0f} ms | {images:,} | {looked:,.0f} | {binary:,.0f} | {looked / binary:.1f} |")
    folder = inspected_a_second(ran, "folder", options.inspected)
    return [
        "## Inspection",
        "",
        "| a request takes, beside what the machine needs | images | `--inspect`, a second | binaryFile, a second | |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        "Both fetch over HTTP from the same kind of server and decode in the same way; a second is one of the whole "
        "stage, its Spark jobs and its CSV among it. Ours asks local EMR's S3, one GET an image, 16 at once a "
        "task. binaryFile has no S3 client here (hadoop-aws is in no Python package), so it reads the same files "
        "through Hadoop's WebHDFS client (`benchmarks/webhdfs.py`): status, open, read, one after another, as S3A's "
        f"HEAD, HEAD and GET. Without any request, from the folder itself, binaryFile makes {folder:,.0f} a second: "
        "that is the local disk, and no S3.",
        "",
    ]


def stages(ran: Cases) -> list[str]:
    """Say where the time of our job goes."""
    names = ("listing", "writing", "statistics")
    shown = ", ".join(f"{name} {stage(ran['ours'], name):.1f} s" for name in names)
    rest = seconds(ran["ours"]) - sum(stage(ran["ours"], name) for name in names)
    start, listing, both = (seconds(ran[case]) for case in ("bare, quick compiler", "listing", "listing and transform"))
    return [
        "## Where the time goes",
        "",
        f"{shown}; starting and stopping Spark {rest:.1f} s.",
        "",
        "`listing` is the one pass: the listing, the transform row by row as it comes, what is kept of it, and the "
        f"classes' counts. Alone, over a bare session with the same Java options: the listing {listing - start:.1f} s, "
        f"with the transform {both - start:.1f} s.",
        "",
    ]


def machine(options: argparse.Namespace) -> list[str]:
    """Say what it was measured on."""
    return [
        f"Medians of {options.runs} turns (the original: {options.baseline_runs}), seconds of the whole EMR step; "
        f"{platform.machine()}, Python {platform.python_version()}, Spark 3.5.6.",
    ]
