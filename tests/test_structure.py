"""The room table of the design, held with `ast`: who imports what, and who may print, sleep, connect or exit.

Also: the Makefile's targets are the tasks, .env.example is Settings, states are botocore's, requirements are pinned.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import botocore.session
import pytest

import tasks
from scripts import config, console, lifecycle

PROJECT = Path(__file__).resolve().parent.parent
SHARED = {"errors", "config", "files", "lifecycle", "tracking", "console", "aws", "parallel", "sample_images"}
SCRIPTS = sorted((PROJECT / "scripts").glob("*.py"))
# They stand between tasks.py and the verbs: they show and track.
SESSIONS = [path for path in SCRIPTS if path.stem.endswith("session")]
VERBS = [path for path in SCRIPTS if path.stem not in SHARED | {"__init__"} and path not in SESSIONS]
DIAGNOSIS = sorted((PROJECT / "scripts" / "diagnosis").rglob("*.py"))
LOCAL_EMR = sorted((PROJECT / "local_emr").rglob("*.py"))
SPARK = sorted((PROJECT / "spark").rglob("*.py"))
TASKS = PROJECT / "tasks.py"
LONGEST = 340  # lines: a file is read in one sitting
LONGEST_TASKS = 395  # a help text for every command


@dataclass(frozen=True)
class Import:
    """`module` as it is imported; `typing_only`: under TYPE_CHECKING; `late`: inside a function."""

    module: str
    typing_only: bool
    late: bool


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[Import]:
    def walk(node: ast.AST, typing_only: bool, late: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(name.name, typing_only, late) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path.name}: imports are absolute"
                if child.module == "scripts":
                    yield from (Import(f"scripts.{name.name}", typing_only, late) for name in child.names)
                else:
                    yield Import(child.module or "", typing_only, late)
            under = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            yield from walk(child, typing_only or under, late or inside)

    yield from walk(parsed(path), False, False)


def imported(path: Path) -> set[str]:
    """The modules that a file needs when it runs."""
    return {one.module for one in imports(path) if not one.typing_only}


def packages(path: Path) -> set[str]:
    return {module.partition(".")[0] for module in imported(path)}


def foreign(path: Path) -> set[str]:
    """What is neither the standard library's nor Python's own."""
    return packages(path) - sys.stdlib_module_names - {"__future__"}


def dotted(node: ast.expr) -> str:
    """`os.environ` of an expression; empty for anything but names and attributes."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def used(path: Path) -> set[str]:
    """Every name and dotted name that a file's code uses."""
    nodes = ast.walk(parsed(path))
    return {dotted(node) for node in nodes if isinstance(node, (ast.Name, ast.Attribute))}


def attributes(path: Path) -> set[str]:
    nodes = ast.walk(parsed(path))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def strings(path: Path) -> set[str]:
    """The string constants of a file's code, without its docstrings."""
    tree = parsed(path)
    loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in loose)
    return {node.value for node in found if isinstance(node.value, str)}


@cache
def states(shape: str) -> set[str]:
    return set(botocore.session.get_session().get_service_model("emr").shape_for(shape).enum)


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.relative_to(PROJECT).as_posix())


def room(name: str) -> Path:
    return PROJECT / "scripts" / f"{name}.py"


def test_there_is_something_to_hold() -> None:
    assert len(VERBS) >= 10
    assert len(LOCAL_EMR) > 10
    assert PROJECT / "spark" / "read_fruits_data.py" in SPARK


def test_tasks_touch_invoke_the_library_and_local_emrs_switch_and_nothing_else() -> None:
    assert foreign(TASKS) == {"invoke", "local_emr", "scripts"}
    assert {module for module in imported(TASKS) if module.startswith("local_emr")} <= {
        "local_emr",
        "local_emr.control",
    }
    assert "time" not in packages(TASKS)


def test_tasks_know_no_state_names() -> None:
    assert strings(TASKS) & (states("ClusterState") | states("StepState")) == set()


def test_config_reads_its_environment_and_dotenv_only() -> None:
    assert foreign(room("config")) == {"dotenv", "scripts"}
    assert {module for module in imported(room("config")) if module.startswith("scripts")} == {"scripts.errors"}


def test_aws_needs_boto3_and_of_the_settings_only_where_to_connect() -> None:
    assert foreign(room("aws")) == {"boto3", "botocore", "scripts"}
    named = {name for name in used(room("aws")) if name.startswith("settings.")}
    assert named <= {"settings.aws_region", "settings.aws_profile", "settings.endpoint_url"}


def test_lifecycle_knows_time_and_errors_only() -> None:
    assert packages(room("lifecycle")) - {"__future__", "collections", "contextlib", "dataclasses", "typing"} == {
        "random",
        "time",
        "scripts",
    }
    assert {module for module in imported(room("lifecycle")) if module.startswith("scripts")} == {"scripts.errors"}


def test_errors_and_tracking_stand_below_everything() -> None:
    assert {module for module in imported(room("errors")) if module.startswith("scripts")} == set()
    assert foreign(room("errors")) <= {"boto3", "botocore"}
    assert foreign(room("files")) == set()
    assert {module for module in imported(room("tracking")) if module.startswith("scripts")} == {
        "scripts.errors",
        "scripts.files",
    }
    assert foreign(room("tracking")) == {"scripts"}


def test_console_knows_neither_aws_nor_the_settings() -> None:
    assert foreign(room("console")) == {"rich", "scripts"}
    assert imported(room("console")).isdisjoint({"scripts.aws", "scripts.config", "scripts.tracking"})


@each(VERBS)
def test_a_verb_is_handed_what_it_needs_and_shows_nothing(path: Path) -> None:
    assert foreign(path) <= {"scripts"}
    shows_and_tracks = {"scripts.console", "scripts.tracking", *(f"scripts.{path.stem}" for path in SESSIONS)}
    assert imported(path).isdisjoint({*shows_and_tracks, "sys"})
    assert used(path).isdisjoint({"os.environ", "os.getenv"})


@each(DIAGNOSIS)
def test_the_diagnosis_is_handed_files_and_needs_nothing_else(path: Path) -> None:
    assert foreign(path) <= {"scripts"}
    assert all(name.startswith("scripts.diagnosis") for name in imported(path) if name.startswith("scripts"))
    assert used(path).isdisjoint({"print", "input", "sys.exit", "os.environ"})


@each(SESSIONS)
def test_what_tasks_share_knows_neither_invoke_nor_boto3(path: Path) -> None:
    assert foreign(path) == {"scripts"}
    assert used(path).isdisjoint({"os.environ", "os.getenv"})


@each([*SCRIPTS, *LOCAL_EMR, *SPARK])
def test_the_three_programs_do_not_know_each_other(path: Path) -> None:
    own = path.relative_to(PROJECT).parts[0]

    assert packages(path).isdisjoint({"scripts", "local_emr", "spark", "tasks", "tests", "invoke"} - {own})


@each(SPARK)
def test_the_job_needs_spark_and_what_the_bootstrap_action_installs(path: Path) -> None:
    beside_it = {other.stem for other in SPARK}
    assert foreign(path) - beside_it <= {"pyspark", "py4j", "pyarrow", "obstore", "PIL"}


@each([path for path in [*SCRIPTS, TASKS] if path.stem != "console"])
def test_only_console_prints_and_asks(path: Path) -> None:
    assert used(path).isdisjoint({"print", "input", "sys.stdout.write", "sys.stderr.write", "sys.stdin.readline"})


@each([path for path in [*SCRIPTS, TASKS] if path.stem != "lifecycle"])
def test_only_lifecycle_sleeps(path: Path) -> None:
    assert "sleep" not in attributes(path) | used(path)


@each([path for path in [*SCRIPTS, TASKS] if path.stem != "aws"])
def test_only_aws_makes_clients(path: Path) -> None:
    eager = {one.module.partition(".")[0] for one in imports(path) if not one.typing_only and not one.late}

    assert eager.isdisjoint({"boto3", "botocore"})
    assert {name for name in used(path) if name.startswith(("boto3.", "botocore."))} == set()
    assert attributes(path).isdisjoint({"client", "resource", "get_waiter"})


@each(SCRIPTS)
def test_the_library_never_exits(path: Path) -> None:
    assert used(path).isdisjoint({"sys.exit", "exit", "quit", "SystemExit", "os._exit"})


@each([path for path in SCRIPTS if path.stem not in ("config", "pipeline_session", "__init__")])
def test_nothing_in_the_library_asks_which_target_it_is(path: Path) -> None:
    assert attributes(path).isdisjoint({"on_local"})
    assert "settings.target" not in used(path)


def test_a_pipeline_asks_it_only_to_fill_an_empty_local_bucket_and_to_know_its_own_runs() -> None:
    path = room("pipeline_session")
    asked = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute)]

    assert [node.attr for node in asked if node.attr in ("on_local", "target")] == ["on_local", "target"]


@each([path for path in [*SCRIPTS, TASKS] if path.stem != "parallel"])
def test_only_parallel_starts_threads(path: Path) -> None:
    assert packages(path).isdisjoint({"threading", "concurrent", "multiprocessing", "asyncio"})


@each([*SCRIPTS, *DIAGNOSIS, *LOCAL_EMR, *SPARK, TASKS])
def test_no_file_outgrows_a_reader(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= (LONGEST_TASKS if path == TASKS else LONGEST)


@pytest.mark.parametrize(
    ("found", "shape"),
    [
        (lifecycle.CLUSTER_READY, "ClusterState"),
        (lifecycle.CLUSTER_AT_WORK, "ClusterState"),
        (lifecycle.CLUSTER_GONE, "ClusterState"),
        (lifecycle.STEP_DONE, "StepState"),
    ],
    ids=lambda value: getattr(value, "what", value),
)
def test_every_state_of_a_goal_is_one_of_emrs(found: lifecycle.Goal, shape: str) -> None:
    assert found.reached
    assert found.reached | found.missed <= states(shape)
    assert not found.reached & found.missed


def test_every_goal_is_held_to_that() -> None:
    goals = {name for name, value in vars(lifecycle).items() if isinstance(value, lifecycle.Goal)}

    assert goals == {"CLUSTER_READY", "CLUSTER_AT_WORK", "CLUSTER_GONE", "STEP_DONE"}


def test_every_state_of_emr_has_its_meaning_and_its_mark() -> None:
    assert lifecycle.LIVE_CLUSTER | lifecycle.ENDED_CLUSTER | {"TERMINATING"} == states("ClusterState")
    assert not lifecycle.LIVE_CLUSTER & lifecycle.ENDED_CLUSTER
    ended_steps = lifecycle.STEP_DONE.reached | lifecycle.STEP_DONE.missed
    assert lifecycle.ACTIVE_STEP | ended_steps == states("StepState")
    assert set(console.MARKS) == states("ClusterState") | states("StepState")


def makefile_help() -> dict[str, str]:
    lines = (PROJECT / "Makefile").read_text(encoding="utf-8").splitlines()
    found = (re.fullmatch(r"([a-z.-]+):.*?## (.+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def task_help() -> dict[str, str]:
    return {name: (tasks.namespace[name].__doc__ or "").partition("\n")[0] for name in tasks.namespace.task_names}


def test_every_task_has_its_make_target_with_the_same_help() -> None:
    own = {"help", "venv", "test", "test-faults", "lint", "bench"}

    assert {name: text for name, text in makefile_help().items() if name not in own} == task_help()
    assert own <= set(makefile_help())


def test_the_makefile_has_nothing_else() -> None:
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    rules = set(re.findall(r"^([^\s:=#.][^:=#]*):(?!=)", text, re.M))
    listed = re.search(r"^TASKS := ((?:.*\\\n)*.*)", text, re.M)

    assert listed
    assert set(listed[1].replace("\\\n", " ").split()) == set(task_help())
    assert rules == set(makefile_help()) | {"$(TASKS)", "$(VENV)/.complete"}


def test_every_task_says_what_it_does_in_a_line_that_fits() -> None:
    assert all(5 < len(text) <= 72 for text in task_help().values())


def example() -> list[tuple[str, str]]:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    found = (re.fullmatch(r"(?:# ?)?([A-Z][A-Z0-9_]*)=(.*)", line) for line in lines)
    return [(match[1], match[2]) for match in found if match]


def test_the_example_has_every_setting_in_order_with_its_default() -> None:
    assert example() == [(one.name.upper(), one.metadata[config.AWS]) for one in config.SETTINGS]


def test_every_setting_of_the_example_has_a_comment() -> None:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    commented = [line for line in lines if re.match(r"# [A-Z].*[a-z]", line) and "=" not in line.split()[1]]

    assert len(commented) >= len(config.SETTINGS)  # one for both groups, two for the head


def pinned() -> dict[str, str]:
    """requirements.txt: name -> the text of its entry."""
    text = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.M), flags=re.M)
    return {normal(entry): entry for entry in entries if entry.strip()}


def normal(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def wanted() -> set[str]:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(r"^(?:dependencies|dev) = (\[.*?^\])", text, re.M | re.S)
    return {normal(one) for found in lists for one in ast.literal_eval(found)}


def test_requirements_are_pinned_with_hashes_and_name_no_index() -> None:
    for name, entry in pinned().items():
        assert re.match(rf"{re.escape(name)}(\[[a-z0-9,-]+\])?==[^\s\\]+", entry.lower().replace("_", "-")), entry[:80]
        assert "--hash=sha256:" in entry, name
    text = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links|-e)\b|https?://", text, re.M)


def test_requirements_have_every_dependency() -> None:
    assert {"boto3", "pyspark", "invoke", "ruff"} <= wanted()
    assert wanted() <= set(pinned())
