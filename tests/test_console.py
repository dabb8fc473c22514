"""What a person sees, and where: progress on stderr, results on stdout, no question to nobody."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from scripts import console
from scripts.errors import SettingsError, UsageError, WorkflowError
from scripts.lifecycle import Status

pytestmark = pytest.mark.usefixtures("fresh_console")
Output = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    """Somebody at a keyboard who has typed this already."""

    def isatty(self) -> bool:
        return True


def test_progress_goes_to_stderr_and_results_to_stdout(capsys: Output) -> None:
    console.note("under way")
    console.say("the result")

    assert capsys.readouterr() == ("the result\n", "under way\n")


def test_text_is_shown_as_it_is(capsys: Output) -> None:
    text = "[red]Apple[/red] [1] :apple: s3://b/k \\[x] " + "long " * 60

    console.say(text)

    assert capsys.readouterr().out == text + "\n"


@pytest.mark.parametrize("show", [console.note, console.say])
def test_a_pipe_that_nobody_reads_is_an_error_and_no_exit(
    monkeypatch: pytest.MonkeyPatch, show: Callable[[str], None]
) -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(sys, "stderr", Closed())

    for _ in range(2):
        with pytest.raises(BrokenPipeError):
            show("a line")


def test_a_stream_that_was_closed_from_the_start_takes_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)

    console.say("a result")
    console.note("progress")
    with console.waiting("something"), console.progress_bar("Uploading", 2) as advance:
        advance(2)


def test_a_status_is_a_line_with_the_time_a_mark_and_emrs_reason(capsys: Output) -> None:
    console.status(Status("STARTING", "Provisioning [EC2] capacity"))
    console.status(Status("WAITING"))

    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d\] 🟡 STARTING - Provisioning \[EC2\] capacity", first)
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d\] ✅ WAITING", second)


def test_a_state_nobody_has_heard_of_is_shown_all_the_same(capsys: Output) -> None:
    console.status(Status("HIBERNATING"))

    assert "⚪ HIBERNATING" in capsys.readouterr().err


def test_an_error_is_one_line_on_stderr(capsys: Output) -> None:
    console.fail(WorkflowError("reading x", "it is\ngone", "Look elsewhere."))

    assert capsys.readouterr() == ("", "❌ Reading x: it is gone. Look elsewhere.\n")


def test_wrong_settings_have_a_line_each(capsys: Output) -> None:
    console.fail(SettingsError(["A: wrong", "B: wrong too"]))

    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["   A: wrong", "   B: wrong too"]
    assert lines[2].startswith("❌ Reading the settings: 2 problems.")


@pytest.mark.parametrize(
    ("typed", "agreed"),
    [
        ("oui\n", True),
        ("yes\n", True),
        (" OUI \n", True),
        ("o\n", False),
        ("y\n", False),
        ("\n", False),
        ("non\n", False),
    ],
)
def test_only_oui_and_yes_agree(monkeypatch: pytest.MonkeyPatch, capsys: Output, typed: str, agreed: bool) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))

    assert console.ask("Really?", yes=False) is agreed
    assert "Really?" in capsys.readouterr().err


def test_yes_answers_without_asking(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert console.ask("Really?", yes=True) is True
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("stdin", [None, io.StringIO("oui\n"), Terminal("")], ids=["none", "a pipe", "end of input"])
def test_a_question_to_nobody_is_an_error_with_the_flag_to_use(
    monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)

    with pytest.raises(UsageError) as caught:
        console.ask("Really?", yes=False)

    assert "Really?" in str(caught.value)
    assert "--yes" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_closed_stdin_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO("oui\n")
    closed.close()
    monkeypatch.setattr(sys, "stdin", closed)

    with pytest.raises(UsageError):
        console.ask("Really?", yes=False)


def test_a_table_shows_odd_labels_as_they_are_and_numbers_on_the_right(capsys: Output) -> None:
    rows = [("Apple [red] 1", 12_345), ("[/] :kiwi:", 7), ('Pêche, "plate"', 640)]

    console.table("[Classes]", ("Label", "images"), rows)

    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    shown = {count: next(line for line in lines if label in line) for label, count in rows}
    assert "[Classes]" in lines[0]
    assert all(line.endswith(f" {count:,}") for count, line in shown.items())
    assert len({len(line) for line in shown.values()}) == 1


def test_a_table_without_rows_is_no_crash(capsys: Output) -> None:
    console.table("", ("Label", "images"), [])

    assert "Label" in capsys.readouterr().out


def test_nothing_is_cut_off_for_a_program_that_reads_along(capsys: Output) -> None:
    label = "Ünübersehbar " * 12

    console.table("", ("Label", "images"), [(label, 1)])

    assert "…" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_an_ascii_terminal_shows_question_marks_and_no_traceback(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, name, stream)

    if name == "stdout":
        console.say("✅ Pêche")
        console.table("Größe", ("Étiquette",), [("Pêche",)])
    else:
        console.status(Status("WAITING", "prêt"))

    assert b"P?che" in written.getvalue() or b"pr?t" in written.getvalue()


def test_without_a_terminal_waiting_and_progress_are_a_line_at_most(capsys: Output) -> None:
    with console.waiting("Cluster j-1"):
        console.note("seen")
    with console.progress_bar("Fetching [all]", 10) as advance:
        advance(10)

    assert capsys.readouterr() == ("", "seen\nFetching [all] …\n")


@pytest.mark.parametrize("shown", [console.waiting, lambda what: console.progress_bar(what, 0)])
def test_on_a_terminal_what_is_under_way_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch, shown: Callable[[str], AbstractContextManager[object]]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with shown("Cluster [j-1]"):
        console.note("a line meanwhile")

    assert "Cluster [j-1]" in terminal.getvalue()
    assert "a line meanwhile" in terminal.getvalue()
