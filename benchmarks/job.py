"""The job against the original's algorithm and against a bare Spark session, on local EMR: `make bench`.

    python -m benchmarks.job [--images 154560] [--runs 3] [--baseline-runs 3] [--growth 10000 50000 500000]

Prints a table and writes benchmarks/results.md. The cases take turns, and each figure is the median of its runs, so
that a busy machine slows all of them alike: read the ratios.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.bucket import make_bucket
from benchmarks.emr_steps import BUCKET, OUTPUT, ROOT, LocalEmr, Ran, serving_webhdfs
from benchmarks.report import RESULTS, report
from scripts.config import load
from scripts.upload_scripts import JOB, JOB_MODULES

BASELINE, BARE, LISTING = (
    ROOT / "benchmarks" / f"{name}.py" for name in ("baseline_job", "bare_session", "listing_only")
)
# The workflow's own default (no .env is in this folder). The bare session and the original have Spark's.
JAVA_OPTIONS = ["--conf", f"spark.driver.extraJavaOptions={load(Path(__file__).parent, {}).spark_java_options}"]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=154_560)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--baseline-runs", type=int, default=3)
    parser.add_argument("--growth", type=int, nargs="*", default=[10_000, 50_000, 500_000])
    # so many that the last of binaryFile's tasks is full, too
    parser.add_argument("--inspected", type=int, default=31_900)
    parser.add_argument("--inspected-slowly", type=int, default=1_600)
    parser.add_argument("--latency", type=float, default=0.01, help="seconds that S3 takes to begin an answer")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench-"))
    emr = LocalEmr(home)
    try:
        ran = measure(emr, options)
    finally:
        emr.stop()
        shutil.rmtree(home)
    text = report(ran, options)
    print(text)
    RESULTS.write_text(text)


def measure(emr: LocalEmr, options: argparse.Namespace) -> dict[str, list[Ran]]:
    """Run every case in turn; gives what each took, by case."""
    for images in {options.images, options.inspected, options.inspected_slowly, *options.growth}:
        make_bucket(emr.bucket / str(images), images)
    ran: dict[str, list[Ran]] = defaultdict(list)
    run(emr, JOB, options.images)  # the first step also prepares what later ones find ready
    emr.wait_for_class_archive()
    for turn in range(options.runs):
        for case, words in (("listing", ()), ("listing and transform", ("transform",))):
            ran[case].append(run(emr, LISTING, options.images, *words))
        # the bucket has been listed since the others were, as `verify` lists it: its folders are known to the server
        ran["ours, both compilers"].append(run(emr, JOB, options.images, options=[]))
        ran["ours"].append(run(emr, JOB, options.images))
        ran["bare"].append(run(emr, BARE))
        ran["bare, quick compiler"].append(run(emr, BARE, options=JAVA_OPTIONS))
        for images in options.growth:
            ran[f"growth {images}"].append(run(emr, JOB, images))
        if turn < options.baseline_runs:
            ran["baseline"].append(run(emr, BASELINE, options.images))
        inspect(emr, ran, options.inspected, 0.0)
        inspect(emr, ran, options.inspected_slowly, options.latency)
        ran["inspect folder"].append(run(emr, JOB, options.inspected, "--inspect", "--reader", "binaryfile"))
    return ran


def inspect(emr: LocalEmr, ran: dict[str, list[Ran]], images: int, latency: float) -> None:
    """Inspect by both readers, over HTTP: each request takes `latency` seconds more than the machine needs."""
    with emr.slow_s3(latency):
        ran[f"inspect listing {latency}"].append(run(emr, JOB, images, "--inspect"))
    with serving_webhdfs(emr.bucket, latency) as mount:
        by_http = [*JAVA_OPTIONS, "--conf", mount]
        words = ("--inspect", "--reader", "binaryfile")
        ran[f"inspect binaryfile {latency}"].append(run(emr, JOB, images, *words, options=by_http))


def run(emr: LocalEmr, script: Path, images: int = 0, *more: str, options: list[str] | None = None) -> Ran:
    """Run one step into a folder of its own, which is then removed."""
    source, target = f"s3://{BUCKET}/{images}/", f"s3://{OUTPUT}/output/"
    arguments = {JOB: [source, target, *more], LISTING: [source, *more], BASELINE: [source, target], BARE: []}[script]
    modules = {JOB: JOB_MODULES, LISTING: (JOB, *JOB_MODULES)}.get(script, ())
    given = options if options is not None else JAVA_OPTIONS if modules else []
    result = emr.run(script, *arguments, modules=modules, options=given)
    shutil.rmtree(emr.output / "output", ignore_errors=True)
    print(f"{script.name:<24} {images:>9,} {' '.join(more):<32} {result.seconds:7.1f} s", flush=True)
    return result


if __name__ == "__main__":
    main()
