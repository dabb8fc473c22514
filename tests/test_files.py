"""Small files written whole, and a lock that ends with whoever holds it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.files import Held, lock, write_whole
from tests.disk import full_after

HOLD = """
import sys
from pathlib import Path
from scripts.files import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(project: Path, path: Path) -> subprocess.Popen[bytes]:
    """A process that holds the lock until its stdin ends."""
    command = [sys.executable, "-c", HOLD, str(path)]
    process = subprocess.Popen(command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_file_is_written_and_replaced_readable_by_all(tmp_path: Path) -> None:
    write_whole(tmp_path / "note.txt", "Pêche\n")
    write_whole(tmp_path / "note.txt", "Kiwi\n")

    assert (tmp_path / "note.txt").read_text(encoding="utf-8") == "Kiwi\n"
    assert stat.S_IMODE((tmp_path / "note.txt").stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_full_disk_leaves_the_old_text_and_no_rest(tmp_path: Path) -> None:
    write_whole(tmp_path / "note.txt", "old")
    with full_after(2), pytest.raises(OSError, match="too large"):
        write_whole(tmp_path / "note.txt", "new and longer")

    assert (tmp_path / "note.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_what_is_in_the_way_stays_and_no_rest_is_left(tmp_path: Path) -> None:
    (tmp_path / "note.txt").mkdir()

    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "note.txt", "new")

    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "gone" / "note.txt", "new")


def test_the_lock_has_the_pid_of_its_holder_and_can_be_taken_again_after(tmp_path: Path) -> None:
    for _ in range(2):
        with lock(tmp_path / "lock"):
            assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_second_holder_is_told_the_pid_of_the_first(tmp_path: Path, project: Path) -> None:
    (tmp_path / "lock").write_text("123456789 of an earlier holder\n")

    with holder(project, tmp_path / "lock") as other:
        with pytest.raises(Held) as caught, lock(tmp_path / "lock"):
            pass
        assert caught.value.pid == str(other.pid)
        other.communicate()

    with lock(tmp_path / "lock"):
        pass


def test_a_holder_that_is_killed_holds_no_longer(tmp_path: Path, project: Path) -> None:
    with holder(project, tmp_path / "lock") as other:
        other.kill()
        other.wait()

        with lock(tmp_path / "lock"):
            assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_holder_that_has_not_written_its_pid_yet_is_a_holder_all_the_same(tmp_path: Path) -> None:
    with lock(tmp_path / "lock"):
        (tmp_path / "lock").write_text("")

        with pytest.raises(Held) as caught, lock(tmp_path / "lock"):
            pass

    assert caught.value.pid == "?"


def test_an_error_inside_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock(tmp_path / "lock"):
        _ = 1 / 0

    with lock(tmp_path / "lock"):
        pass
