"""What a step's or bootstrap action's own words (Jar, Args, Path) mean as a command on the node."""

import shutil
from pathlib import Path

from local_emr.logs import ObjectStore, split_uri
from local_emr.store import Step

COMMAND_RUNNER = "command-runner.jar"
SCRIPT_RUNNER = "script-runner.jar"
EMR_FOLDERS = ("/bin", "/usr/bin", "/usr/local/bin", "/usr/lib/spark/bin", "/usr/lib/hadoop/bin")


class CannotFetch(Exception):
    """A script or jar is not where the request says."""


def is_s3(uri: str) -> bool:
    return uri.startswith(("s3://", "s3a://", "s3n://"))


def fetch(s3: ObjectStore, uri: str, folder: Path) -> str:
    """A local path of what a URI names; from S3 it is copied into `folder`."""
    if not is_s3(uri):
        return uri.removeprefix("file://")
    bucket, key = split_uri(uri)
    target = folder / (key.rpartition("/")[2] or "file")
    try:
        shutil.copyfile(s3.path_of(bucket, key), target)
    except Exception as error:  # no such key, or no such bucket, or a key that no file can have
        raise CannotFetch(f"File does not exist: {uri}") from error
    return str(target)


def script_command(script: str, arguments: list[str]) -> list[str]:
    """A script by its own first line, or by bash when it has none."""
    path = Path(script)
    if not path.is_file():
        raise CannotFetch(f"File does not exist: {script}")
    with path.open("rb") as file:
        has_interpreter = file.read(2) == b"#!"
    if not has_interpreter:
        return ["bash", script, *arguments]
    path.chmod(path.stat().st_mode | 0o111)
    return [script, *arguments]


def step_command(s3: ObjectStore, step: Step, folder: Path, commands: Path) -> list[str]:
    """The command of a step: what its jar would run. `commands` is the folder of the node's own commands."""
    config = step["Config"]
    jar, arguments = config["Jar"], list(config["Args"])
    name = jar.rpartition("/")[2]
    if name == COMMAND_RUNNER and not arguments:
        raise CannotFetch("command-runner.jar needs a command as its arguments.")
    if name == COMMAND_RUNNER:
        return [of_node(arguments[0], commands), *arguments[1:]]
    if name == SCRIPT_RUNNER and not arguments:
        raise CannotFetch("script-runner.jar needs a script as its first argument.")
    if name == SCRIPT_RUNNER:
        return script_command(fetch(s3, arguments[0], folder), arguments[1:])
    main_class = [config["MainClass"]] if config.get("MainClass") else []
    return ["hadoop", "jar", fetch(s3, jar, folder), *main_class, *arguments]


def of_node(command: str, commands: Path) -> str:
    """A command by its path on EMR (/usr/bin/spark-submit) is the node's own; other paths are this machine's."""
    folder, _, name = command.rpartition("/")
    return name if folder in EMR_FOLDERS and (commands / name).exists() else command
