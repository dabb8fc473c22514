"""Spark's own refusals: queries, jars and classes, the command line."""

from scripts.diagnosis.model import CONSEQUENCE, Rule

RULES = (
    Rule(
        "driver-lost",
        (
            r"Py4JNetworkError|Answer from Java side is empty|Error while (?:sending|receiving)$",
            r"An error occurred while trying to connect to the Java server|JAVA_GATEWAY_EXITED|Java gateway process exited",
        ),
        "The driver's JVM ended under the job, and the logs do not say why; most often it is memory.",
        "Raise SPARK_DRIVER_MEMORY, or bring less to the driver: collect(), toPandas(), broadcast joins.",
        role=CONSEQUENCE,
        explained_by=("driver-heap", "driver-memory-yarn", "disk-full", "node-lost", "submit-arguments"),
        alone=False,
    ),
    Rule(
        "submit-arguments",
        (
            r"Unrecognized option:? (?P<option>\S+)|Unrecognized VM option|Unrecognized (?:command|argument)",
            r"^(?:Exception in thread \"main\" )?(?:org\.apache\.spark\.SparkException: |Error: )(?:Missing application resource|Must specify|Missing argument|Cannot load main|Unrecognized|Unknown|Only one of|Cluster deploy mode|No main class|Executor (?:memory|cores)|Driver (?:memory|cores)|Number of|Total)",
            r"to unknown queue: (?P<queue>\S+)|Failed to submit application_\S+ to YARN",
            r"Missing argument for option '(?P<option>[^']+)'|Missing application resource",
            r"Spark config without '='|Could not parse Master URL|Master must (?:either )?be yarn or start with|Invalid Spark URL",
            r"Size must be specified as bytes|Time must be specified as|Invalid value for '--|Invalid (?:maximum|initial) heap size",
            r"deploy mode .*(?:is not|not) (?:applicable|supported)|Unknown deploy mode|Deploy mode must be",
            r"spark\.\S+ should be \w+, but was|Illegal pattern|Invalid config value|is not a valid (?:value for|config)",
            r"Cannot modify the value of a (?:static|Spark) config|CANNOT_MODIFY_CONFIG",
        ),
        "spark-submit does not accept the arguments or settings that it was given.",
        "Compare the step's arguments with `spark-submit --help`: options of Spark go before the script, the job's own"
        " (JOB_ARGS, `--args`) after it; SPARK_* settings are sizes such as 4g.",
    ),
    Rule(
        "bad-jar",
        (
            r"(?:ClassNotFoundException|NoClassDefFoundError): (?P<name>[\w./$-]+)",
            r"Failed to (?:load|find) (?:main )?class:? (?P<name>[\w.$]+)|Failed to load main class|Could not find or load main class (?P<name2>\S+)",
            r"Failed to find (?:the )?data source: (?P<name>[\w.]+)|DATA_SOURCE_NOT_FOUND",
            r"(?:NoSuchMethodError|NoSuchFieldError|AbstractMethodError|IncompatibleClassChangeError|UnsupportedClassVersionError|NoSuchMethodException)\b",
            r"unresolved dependency|UNRESOLVED DEPENDENCIES|Error whilst fetching '(?P<name>[^']+)'|Failed to download: (?P<name2>\S+)",
            r"Cannot load main class from JAR|No main class set in JAR|Unable to access jarfile (?P<name>\S+)",
            r"Error opening (?:zip file|job jar)|zip END header not found|error in opening zip file|Not a valid JAR|[Ii]nvalid or corrupt jarfile",
            r"UnsatisfiedLinkError|Exception in thread \"main\" java\.lang\.ExceptionInInitializerError",
            r"(?:File|jar) '?(?P<name>\S+\.jar)'? does not exist|(?:does not exist|FileNotFoundException): (?P<name2>\S+\.jar)|Local jar (?P<name3>\S+) does not exist",
            r"'JavaPackage' object is not callable|TypeError: 'JavaPackage'",
        ),
        "A class, a jar or a data source that the job names is not on the cluster, or is of another version.",
        "Give it with --jars or --packages, built for Spark 3.5 and Scala 2.12; check the jar's S3 path and the main class.",
    ),
    Rule(
        "sql-analysis",
        (
            r"\[(?P<what>(?:UNRESOLVED|TABLE_OR_VIEW|AMBIGUOUS|DATATYPE_MISMATCH|PARSE_|MISSING_|COLUMN_|FIELD_|GROUPING_|INVALID_|NON_|NOT_|NUM_COLUMNS|UNSUPPORTED_|ROUTINE_|SCHEMA_|WRONG_|INCOMPATIBLE_|DUPLICATE|CANNOT_RESOLVE|UNBOUND|UNPIVOT|TEMP_)[A-Z_.]*)\]",
            r"\b(?:AnalysisException|ParseException|NoSuchTableException|NoSuchDatabaseException|NoSuchNamespaceException|TableAlreadyExistsException)\b",
            r"cannot resolve '[^']+' given input columns|Table or view not found|Column '[^']+' does not exist",
        ),
        "Spark cannot make sense of the query: a column, a table or a type is not as it says.",
        "Mend the line; the exception names what it could have meant. printSchema() before it shows what is there.",
    ),
    Rule(
        "data-error",
        (
            r"\[(?P<what>DIVIDE_BY_ZERO|CAST_INVALID_INPUT|CAST_OVERFLOW[\w.]*|ARITHMETIC_OVERFLOW|INVALID_ARRAY_INDEX[\w.]*|NUMERIC_VALUE_OUT_OF_RANGE|MAP_KEY_DOES_NOT_EXIST|CANNOT_PARSE_TIMESTAMP|NULL_MAP_KEY|DUPLICATED_MAP_KEY)\]",
            r"SparkArithmeticException|SparkNumberFormatException|SparkDateTimeException|SparkUpgradeException|INCONSISTENT_BEHAVIOR_CROSS_VERSION",
            r"PySparkTypeError: \[(?:CANNOT_ACCEPT_OBJECT_IN_TYPE|FIELD_)|field \S+ can not accept object|ArrowInvalid|ArrowTypeError",
        ),
        "A value in the data is not what the expression takes.",
        "Guard the expression (try_cast, try_divide, where … is not null), or clean the input.",
    ),
    Rule(
        "serialization",
        (
            r"Task not serializable|NotSerializableException|KryoException: Buffer overflow|Buffer overflow\. Available",
            r"PicklingError|[Cc]an(?:not|'t) pickle|CONTEXT_ONLY_VALID_ON_DRIVER|Could not serialize object",
            r"attempting to reference SparkContext from a broadcast variable",
        ),
        "Something that only exists in the driver was to be sent to the executors.",
        "Make it inside the function that runs there (clients, locks, sessions, open files), and send plain values.",
    ),
    Rule(
        "network",
        (
            r"UnknownHostException|NameResolutionError|Temporary failure in name resolution|Name or service not known|[Cc]ould not resolve host",
            r"EndpointConnectionError|Could not connect to the endpoint URL|NoRouteToHostException|Network is unreachable",
            r"ConnectionRefusedError|Connection refused|HTTPSConnectionPool|NewConnectionError|Unable to execute HTTP request: Connect to",
        ),
        "A host could not be reached from the cluster.",
        "Does EC2_SUBNET have a route to it (an internet or NAT gateway, an S3 gateway endpoint), and do the security"
        " groups let it out? Check the name, too.",
        role=CONSEQUENCE,
        explained_by=("driver-heap", "driver-memory-yarn"),
        alone=False,
    ),
    Rule(
        "step-cancelled",
        (
            r"was killed by user|Application killed by user|Kill(?:ed)? by user|state: KILLED\)|final status: KILLED",
            r"finished with killed status|SparkContext was shut down by user|KeyboardInterrupt\b",
        ),
        "Somebody, or another step's failure, stopped it before it had ended.",
        "Nothing to mend: `inv submit` runs it again.",
        alone=False,
    ),
)
