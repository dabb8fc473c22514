"""The tracking files: whole or absent, and never a thing that is no id."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from scripts import tracking
from scripts.errors import UsageError
from scripts.tracking import CLUSTER, MASTER_DNS, STEP
from tests.disk import full_after


def test_what_is_written_is_read_and_is_one_line_for_the_shell(tmp_path: Path) -> None:
    tracking.write(tmp_path, CLUSTER, "j-ABC123")

    assert tracking.read(tmp_path, CLUSTER) == "j-ABC123"
    assert (tmp_path / "cluster_id.txt").read_bytes() == b"j-ABC123\n"
    assert stat.S_IMODE((tmp_path / "cluster_id.txt").stat().st_mode) == 0o644


def test_a_missing_or_an_empty_file_is_none(tmp_path: Path) -> None:
    (tmp_path / STEP).write_text(" \n")

    assert tracking.read(tmp_path, CLUSTER) is None
    assert tracking.read(tmp_path, STEP) is None


def test_white_space_that_an_editor_leaves_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / CLUSTER).write_text("  j-ABC123\r\n\n")

    assert tracking.read(tmp_path, CLUSTER) == "j-ABC123"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (CLUSTER, "s-ABC123"),
        (CLUSTER, "j-abc"),
        (CLUSTER, "j-ABC j-DEF"),
        (CLUSTER, "j-ABC\nj-DEF"),
        (CLUSTER, "../../etc/passwd"),
        (STEP, "j-ABC123"),
        (STEP, "s-A;rm -rf"),
        (MASTER_DNS, "a b"),
        (MASTER_DNS, "\x1b[2Jhost"),
    ],
)
def test_garbage_is_refused_when_read_and_when_written(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / name).write_text(value)

    with pytest.raises(UsageError, match=f"reading {name}"):
        tracking.read(tmp_path, name)
    with pytest.raises(UsageError):
        tracking.write(tmp_path, name, value)

    assert (tmp_path / name).read_text() == value


def test_bytes_that_are_no_text_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / CLUSTER).write_bytes(b"j-\xff")

    with pytest.raises(UsageError, match=f"reading {CLUSTER}"):
        tracking.read(tmp_path, CLUSTER)


def test_a_full_disk_leaves_the_old_id_and_says_the_new_one(tmp_path: Path) -> None:
    with full_after(0), pytest.raises(UsageError, match="j-NEW"):
        tracking.write(tmp_path, CLUSTER, "j-NEW")

    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_half_way_leaves_the_old_file_whole(tmp_path: Path) -> None:
    tracking.write(tmp_path, CLUSTER, "j-OLD")
    with full_after(3), pytest.raises(UsageError, match="j-NEW"):
        tracking.write(tmp_path, CLUSTER, "j-NEW")

    assert tracking.read(tmp_path, CLUSTER) == "j-OLD"
    assert [path.name for path in tmp_path.iterdir()] == [CLUSTER]


def test_a_folder_that_is_gone_does_not_lose_the_id(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it was to hold j-NEW"):
        tracking.write(tmp_path / "gone", CLUSTER, "j-NEW")


def test_clear_removes_what_is_named_and_says_what_was_there(tmp_path: Path) -> None:
    tracking.write(tmp_path, CLUSTER, "j-ABC")
    tracking.write(tmp_path, STEP, "s-ABC")

    assert tracking.clear(tmp_path, STEP, MASTER_DNS) == [STEP]
    assert [path.name for path in tmp_path.iterdir()] == [CLUSTER]
