"""The command line of spark-submit, taken apart and put together again."""

from dataclasses import dataclass, field, replace

# From Spark 3.5's org.apache.spark.launcher.SparkSubmitOptionParser.
WITH_VALUE = frozenset(
    [
        "--archives",
        "--class",
        "--conf",
        "--deploy-mode",
        "--driver-class-path",
        "--driver-cores",
        "--driver-java-options",
        "--driver-library-path",
        "--driver-memory",
        "--exclude-packages",
        "--executor-cores",
        "--executor-memory",
        "--files",
        "--jars",
        "--keytab",
        "--kill",
        "--master",
        "--name",
        "--num-executors",
        "--packages",
        "--principal",
        "--properties-file",
        "--proxy-user",
        "--py-files",
        "--queue",
        "--remote",
        "--repositories",
        "--status",
        "--total-executor-cores",
    ]
)
SHORT = {"-c": "--conf", "-h": "--help", "-v": "--verbose"}
# Options that are another way to say a property, and win over it.
PROPERTIES = {
    "--deploy-mode": "spark.submit.deployMode",
    "--driver-class-path": "spark.driver.extraClassPath",
    "--driver-java-options": "spark.driver.extraJavaOptions",
    "--driver-library-path": "spark.driver.extraLibraryPath",
    "--driver-memory": "spark.driver.memory",
    "--executor-cores": "spark.executor.cores",
    "--executor-memory": "spark.executor.memory",
    "--num-executors": "spark.executor.instances",
    "--files": "spark.files",
    "--archives": "spark.archives",
    "--py-files": "spark.submit.pyFiles",
}


@dataclass(frozen=True)
class SparkArguments:
    """`options` are (name, value) pairs as given, a switch with no value; `resource` is the job's file."""

    options: tuple[tuple[str, str | None], ...] = ()
    resource: str | None = None
    arguments: tuple[str, ...] = field(default=())

    def properties(self) -> dict[str, str]:
        """What the options say, as properties: --conf, and the options that stand for one."""
        found = {}
        for name, value in self.options:
            if name == "--conf" and value and "=" in value:
                key, _, setting = value.partition("=")
                found[key.strip()] = setting.strip()
        found |= {PROPERTIES[name]: value for name, value in self.options if name in PROPERTIES and value is not None}
        return found

    def option(self, name: str) -> str | None:
        """An option's last value."""
        return next((value for given, value in reversed(self.options) if given == name), None)

    def without(self, *names: str) -> "SparkArguments":
        """The same without these options, or --conf settings of these names."""

        def dropped(name: str, value: str | None) -> bool:
            return name in names or (name == "--conf" and (value or "").partition("=")[0].strip() in names)

        return replace(self, options=tuple(o for o in self.options if not dropped(*o)))

    def having(self, *options: tuple[str, str]) -> "SparkArguments":
        """The same with more options; the last one wins."""
        return replace(self, options=(*self.options, *options))

    def command_line(self) -> list[str]:
        words = [word for option in self.options for word in option if word is not None]
        return [*words, *([] if self.resource is None else [self.resource]), *self.arguments]


def parse(words: list[str]) -> SparkArguments:
    """As Spark itself reads them: `--name value`, `--name=value`, then the job's file, and the rest is the job's."""
    options: list[tuple[str, str | None]] = []
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        name = SHORT.get(name, name)
        if name not in WITH_VALUE:
            options.append((name + equals + value, None))  # a switch, or something for Spark to complain about
        elif equals:
            options.append((name, value))
        else:
            options.append((name, rest.pop(0) if rest else None))
    return SparkArguments(tuple(options), rest[0] if rest else None, tuple(rest[1:]))
