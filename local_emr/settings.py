"""How this local EMR is set up: the server's options, else the environment, else HOME/settings.json, else the defaults.

    {"executors": 2, "log_interval": 300, "log_delay": 60, "log_rotation": 3600, "pace": 1}

Every member has an option of `python -m local_emr` (--log-interval) and a variable (LOCAL_EMR_LOG_INTERVAL).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

PREFIX = "LOCAL_EMR_"


class SettingsError(Exception):
    """A setting that cannot be used; the message says which, and what it should be, in one sentence."""


@dataclass(frozen=True)
class Settings:
    """Every member of settings.json."""

    executors: int = 0  # processes that an application's executors are; 0: they are threads of its driver
    log_interval: float = 5.0  # seconds between two uploads of a running step's logs; EMR's is 300; 0: none
    log_delay: float = 0.0  # seconds between a step's end and the upload of the rest of its logs
    log_rotation: float = 0.0  # seconds after which a step's logs begin anew; EMR's is 3600; 0: never
    pace: float = 1.0  # what the times of a cluster's start are multiplied with; at 200 it takes as long as on AWS


HELP = {  # of the options that they are
    "executors": "run executors as N processes of their own",
    "log_interval": "seconds between two uploads of logs (5)",
    "log_delay": "seconds until an ended step's logs are there (0)",
    "log_rotation": "seconds after which a step's logs begin anew (0: never)",
    "pace": "factor on the times that a cluster's start takes (1)",
}


def load(path: Path, environment: Mapping[str, str], options: Mapping[str, Any]) -> Settings:
    """SettingsError for a value that is no number, or is negative, or a name that is no setting."""
    values = _file(path)
    values |= {name: environment[variable(name)] for name in HELP if environment.get(variable(name))}
    values |= {name: options[name] for name in HELP if options.get(name) is not None}
    kinds = {field.name: int if field.name == "executors" else float for field in fields(Settings)}
    return Settings(**{name: _number(name, value, kinds[name]) for name, value in values.items()})


def variable(name: str) -> str:
    """A setting's name in the environment."""
    return PREFIX + name.upper()


def chosen(environment: Mapping[str, str]) -> dict[str, str]:
    """What the environment says of settings: a server that was started with another choice is another server."""
    names = [*map(variable, HELP), f"{PREFIX}PYTHON"]
    return {name: environment[name] for name in names if environment.get(name)}


def _file(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} should hold one JSON object.")
    if unknown := sorted(set(values) - set(HELP)):
        raise SettingsError(f"{path} has settings that do not exist: {', '.join(unknown)}.")
    return values


def _number(name: str, value: Any, kind: type[int] | type[float]) -> Any:
    try:
        number = kind(value)
    except (TypeError, ValueError):
        number = kind(-1)
    if isinstance(value, bool) or not 0 <= number < 1e9:
        what = "a whole number" if kind is int else "a number"
        raise SettingsError(f"The setting {name} ({variable(name)}) should be {what} of 0 or more, not {value!r}.")
    return number
