"""How fast logs are diagnosed: MB/s of the one pass over them, its memory, and `inv logs` in all.

    python -m benchmarks.logs          a log of 100 MB of each kind
    python -m benchmarks.logs 500      of that many MB

The logs are made: lines as Spark writes them, repeated; lines that a job prints; and the worst case, in which every
line is of trouble. The traceback that is to be found stands at the end. Seconds are of the processor, so that other
work on the machine does not count.
"""

from __future__ import annotations

import itertools
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.diagnosis import diagnose, of_folder

RUNS = 5
INFO = (
    "25/11/18 09:12:{s:02} INFO TaskSetManager: Finished task {n}.0 in stage 3.0 (TID {n}) in {t} ms on "
    "ip-10-0-0-14.eu-west-1.compute.internal (executor 2) ({n}/200000)\n",
    "25/11/18 09:12:{s:02} INFO BlockManagerInfo: Added broadcast_{n}_piece0 in memory on "
    "ip-10-0-0-15.eu-west-1.compute.internal:37445 (size: {t}.3 KiB, free: 2.8 GiB)\n",
    "25/11/18 09:12:{s:02} INFO MemoryStore: Block broadcast_{n} stored as values in memory (estimated size {t} KiB)\n",
)
PRINTED = ("s3://fruits/data/fruits-360/Training/Apple/{n}_100.jpg,Apple,{t}\n",)
TROUBLE = (
    "25/11/18 09:12:{s:02} WARN TaskSetManager: Lost task {n}.0 in stage 3.0 (TID {n}) (ip-10-0-0-14 executor 2): "
    "java.io.IOException: attempt {t}\n",
    "\tat org.apache.spark.rdd.RDD.iterator(RDD.scala:331)\n",
    "\tat org.apache.spark.scheduler.Task.run(Task.scala:141)\n",
)
END = """\
Traceback (most recent call last):
  File "/mnt/tmp/job.py", line 12, in <module>
    main()
ZeroDivisionError: division by zero
"""


def lines(forms: tuple[str, ...]) -> Iterator[bytes]:
    for n, form in enumerate(itertools.cycle(forms)):
        yield form.format(n=n, s=n % 60, t=n * 7919 % 10007).encode()


def write(path: Path, forms: tuple[str, ...], megabytes: int) -> None:
    some = b"".join(itertools.islice(lines(forms), 30_000))
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        while file.tell() < megabytes << 20:
            file.write(some)
        file.write(END.encode())


def main(megabytes: int = 100) -> None:
    print(f"{'log':24} {'MB':>6} {'seconds':>8} {'MB/s':>6}   cause, median of {RUNS}")
    for name, forms in (("Spark's INFO", INFO), ("a job's own prints", PRINTED), ("trouble in every line", TROUBLE)):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "steps" / "s-1" / "stdout"
            write(log, forms, megabytes)
            taken = []
            for _ in range(RUNS):
                start = time.process_time()
                found = diagnose(of_folder(Path(folder)))
                taken.append(time.process_time() - start)
            seconds, size = statistics.median(taken), log.stat().st_size / 1e6
            print(f"{name:24} {size:6.0f} {seconds:8.2f} {size / seconds:6.0f}   {found.category or 'none'}")
    # Mapped pages of the file count as ours while the system has memory to spare: what is allocated is far less.
    print(f"largest resident size: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB (file pages too)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
