"""`python -m tests.faults`: every cell of the matrix, two at a time; the table on stdout and in docs/faults.md."""

from __future__ import annotations

import queue
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.faults.cells import CELLS, STAGES, Cell
from tests.faults.run import bench

WORKERS = 2
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"


def main(patterns: list[str]) -> int:
    chosen = [cell for cell in CELLS if not patterns or any(pattern in cell.name for pattern in patterns)]
    waiting: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell in chosen:
        waiting.put(cell)
    wrong: dict[str, list[str]] = {}

    def work(root: Path) -> None:
        place = bench(root)
        try:
            while True:
                try:
                    cell = waiting.get_nowait()
                except queue.Empty:
                    return
                start = time.monotonic()
                try:
                    wrong[cell.name] = place.run(cell)
                except Exception as error:
                    wrong[cell.name] = [f"the cell itself failed: {error!r}"]
                mark = "❌ " + "; ".join(wrong[cell.name]) if wrong[cell.name] else "✅"
                print(f"{cell.name:55} {time.monotonic() - start:5.1f} s  {mark}", flush=True)
                if wrong[cell.name]:
                    print("    " + place.said.replace("\n", "\n    "), file=sys.stderr, flush=True)
        finally:
            place.checkout.inv("local.down")

    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    threads = [threading.Thread(target=work, args=(folder / f"bench-{n}",)) for n in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shutil.rmtree(folder, ignore_errors=True)
    failed = sum(map(bool, wrong.values())) + len(chosen) - len(wrong)
    if not patterns and not failed:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(document(), encoding="utf-8")
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


def document() -> str:
    """The table for the docs, from the cells: it is written when all of them are green."""
    faults = list(dict.fromkeys(cell.fault for cell in CELLS))
    lines = [
        "# What a pipeline does on a bad day",
        "",
        f"`make test-faults` makes each of these {len(CELLS)} things happen to a pipeline on local EMR, and checks",
        "that no cluster is left live (or that it is named on screen and ends by its own timer), that the step was",
        "submitted once, the exit code, the message, and that the results are whole or absent.",
        "",
        "A number is the exit code, `-` a combination that does not exist. Only a run that was green writes the table.",
        "",
        "| fault | " + " | ".join(STAGES) + " |",
        "| --- |" + " --- |" * len(STAGES),
    ]
    for fault in faults:
        codes = {cell.stage: cell.code for cell in CELLS if cell.fault == fault}
        lines.append(f"| {fault} | " + " | ".join(str(codes.get(stage, "-")) for stage in STAGES) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
