"""Faults of the job's own Python, and the three that need no pattern: an exception, and an exit, of the job's own."""

from scripts.diagnosis.model import Rule

_PACKAGES = "PACKAGES in bootstrap/install_dependencies.sh"
_NO_MODULE = (
    r"(?:ModuleNotFoundError|ImportError): No module named '?(?P<module>[\w.]+)'?",
    r"ImportError: (?P<module>lib[\w.+-]+\.so[\w.]*): cannot open shared object file",
    r"ImportError: cannot import name '(?P<module>\w+)'",
    r"(?:PackageNotFoundError|DistributionNotFound)\b.*",
    r"ImportError: (?:Pandas|PyArrow|pandas|pyarrow) >= \S+ must be installed|PACKAGE_NOT_INSTALLED",
    r"^ImportError: ",
)
_NEWER = r"(?:tomllib|asyncio\.taskgroups|graphlib)"

RULES = (
    Rule(
        "python-version",
        (
            r"Python in worker has different(?: minor)? version|PYTHON_VERSION_MISMATCH",
            r"Cannot run program \"(?P<program>[^\"]*python[^\"]*)\"",
            r"(?P<program>python[\d.]*)[’']?: (?:command not found|No such file or directory)|‘(?P<program2>python[\d.]*)’: No such file",
            r"reading the port number from pyspark\.daemon|Error from python worker",
            r"bad interpreter: .*(?P<program>python[\d.]*)",
        ),
        "The driver's and the executors' Python are not the same, or the one that is asked for is not on the nodes.",
        "emr-7.11.0 has python3 (3.9) and python3.11: set PYSPARK_PYTHON for both spark.yarn.appMasterEnv and"
        " spark.executorEnv, or for neither.",
    ),
    Rule(
        "syntax-error",
        (
            r"(?:SyntaxError|IndentationError|TabError)\b",
            r"TypeError: unsupported operand type\(s\) for \|: '(?:type|NoneType|_?\w*GenericAlias|ABCMeta|_UnionGenericAlias|_SpecialForm|EnumMeta|_VariadicGenericAlias|function)'",
            rf"ModuleNotFoundError: No module named '{_NEWER}'",
            r"ImportError: cannot import name '(?:ParamSpec|TypeAlias|TypeGuard|Self|Never|assert_never|LiteralString|NotRequired|Required|override|Unpack|dataclass_transform|Concatenate|assert_type|reveal_type|StrEnum|UTC|pairwise|batched|cache|EllipsisType|NoneType|chdir)' from '(?:typing|enum|datetime|itertools|types|contextlib)'",
            r"module 'datetime' has no attribute 'UTC'|module 'itertools' has no attribute '(?:pairwise|batched)'",
            r"dataclass\(\) got an unexpected keyword argument '(?:slots|kw_only|match_args)'|zip\(\) takes no keyword arguments",
            r"'str' object has no attribute 'remove(?:prefix|suffix)'|type 'type' is not subscriptable|'type' object is not subscriptable",
            r"NameError: name '(?:ExceptionGroup|aiter|anext|EncodingWarning)' is not defined",
        ),
        "The code is not valid in the Python that runs it: python3 is 3.9 on emr-7.11.0.",
        "Write it for Python 3.9 (no `match`, no `X | Y` outside annotations, no 3.10+ library), or run it with python3.11"
        " (PYSPARK_PYTHON).",
    ),
    Rule(
        "import-error",
        _NO_MODULE,
        "The executors' Python cannot import {module}.",
        f"Add it to {_PACKAGES}, which installs on every node, or send your own module with --py-files; then a new"
        " cluster: bootstrap actions run once.",
        where="executor",
    ),
    Rule(
        "import-error",
        _NO_MODULE,
        "The driver's Python cannot import {module}.",
        f"Add it to {_PACKAGES}, or send your own module with --py-files; then a new cluster: bootstrap actions run once.",
        where="driver",
    ),
    Rule(
        "job-arguments",
        (
            r"error: (?P<what>the following arguments are required|unrecognized arguments|argument \S+: |invalid choice|too few arguments|one of the arguments|ambiguous option)",
            r"Error: (?:No such option|Missing (?:argument|option|parameter)|Got unexpected extra argument|Invalid value for)",
        ),
        "The job itself refused its arguments.",
        "Compare them with what it expects: input and output come from the settings, the rest from JOB_ARGS or `--args`.",
    ),
    Rule(
        "command-failed",
        (
            r"(?P<command>[\w./+-]+): command not found|(?P<command2>[\w./+-]+): not found$",
            r"env: [‘']?(?P<command>[^’':]+)[’']?: No such file or directory|(?P<command2>\S+): Permission denied$",
            r"Cannot run program \"(?P<command>[^\"]+)\"",
        ),
        "A command is not on the node, or may not be run.",
        "Check its name and path; what is to be on every node is installed by bootstrap/install_dependencies.sh.",
    ),
)

# What needs no pattern: it is told from where the exception was raised, or that there was none.
FALLBACKS = {
    "driver": Rule(
        "python-exception-driver",
        (),
        "The job's own code raised an exception, in the driver.",
        "Mend the line; `inv submit` runs the job again on the same cluster.",
    ),
    "executor": Rule(
        "python-exception-executor",
        (),
        "A function of the job raised an exception on an executor, for some row of the data.",
        "Mend the function, or guard it against that row; it raised the same on every retry.",
    ),
    "java": Rule(
        "java-exception",
        (),
        "An exception that is not in the catalogue ended the run.",
        "Read the chain from its first exception on, and the lines before it in the log.",
    ),
    "exit": Rule(
        "job-exit",
        (),
        "The job ended itself with a failure, and no exception; these were its last words.",
        "Look at what the job checks before it says so.",
    ),
}
