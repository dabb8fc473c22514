"""Lines that look like trouble and are none: they never count, neither as a cause nor as a run's last words."""

NOISE = (
    # Every Spark and Hadoop start
    r"Unable to load native-hadoop library",
    r"NativeCodeLoader",
    r"log4j:(?:WARN|ERROR)|Set(?:ting)? (?:the )?default log level|To adjust logging level use|Using Spark's (?:default|repl) log4j",
    r"SLF4J:|StatusLogger|WARNING: An illegal reflective access|WARNING: (?:Please consider|Use --|All illegal|Illegal)",
    r"Picked up (?:_JAVA|JAVA_TOOL)_OPTIONS|^OpenJDK .*[Ww]arning|^Java HotSpot.*[Ww]arning",
    r"Neither spark\.yarn\.jars nor spark\.yarn\.archive is set",
    r"is not in the classpath|Service 'SparkUI' could not bind|Attempting port \d+",
    r"(?:loopback address|SPARK_LOCAL_IP|Your hostname, )",
    r"Same (?:path|name) resource .* added multiple times",
    r"MetricsConfig: (?:Cannot|could not) locate|hadoop-metrics2",
    r"Truncated the string representation of a plan",
    r"ProcfsMetricsGetter|Exception when trying to compute pagesize",
    r"Could not find .*(?:hive-site|core-site|mapred-site)",
    r"SET_.*_NOT_FOUND|ObjectStore: Failed to get database|Version information not found in metastore",
    # Shutting down
    r"InterruptedException|ClosedByInterruptException|RejectedExecutionException",
    r"ShutdownHookManager|Failed to delete: .*spark-|Exception while deleting Spark temp dir",
    r"TransportResponseHandler: Still have \d+ requests outstanding",
    r"LiveListenerBus has already|SparkListenerBus has already stopped|Ignoring event|Dropping event",
    r"Attempted to get executor loss reason for executor id \d+ .*but got no response",
    r"Could not find CoarseGrainedScheduler|RpcEnv already stopped|Exception while beginning .*Stopp",
    r"(?:ERROR|WARN) (?:CoarseGrainedExecutorBackend: RECEIVED SIGNAL|ApplicationMaster: RECEIVED SIGNAL)",
    r"Executor self-exiting due to : Driver .* disassociated",
    # Python's warnings
    r"(?:Deprecation|Future|User|Runtime|Pending\w*|Resource|Syntax|Import|Bytes|Unicode)Warning\b",
    r"^\s*warnings\.warn\(",
    r"WARNING: Running pip as the 'root' user|A new release of pip|You are using pip version|WARNING: The script",
    r"\[notice\]",
    # What the AWS SDKs say of themselves
    r"AWS SDK for Java 1\.x (?:entered|is in) maintenance mode|InstanceMetadataServiceResourceFetcher",
    # Failure is in a name or a count, not in what happened
    r"\b(?:0|no) (?:errors?|failures?|failed)\b|failed: ?0\b|failures?[=:] ?0\b|errors?[=:] ?0\b",
    r"maxFailures|max(?:Executor|App)?Failures|failureThreshold|errorThreshold|errorOnly|onError\b|errorIfExists",
)

# How an ended run is reported on: true, and neither a cause nor the job's own words.
EMPTY = (
    r"Application application_\d+_\d+ (?:finished with (?:failed|killed) status|is killed)",
    r"User (?:application|class) exited with (?:status )?\d+|SparkUserAppException",
    r"Command exiting with ret|Final app status|final status|Step failed with exit|Execution failed with code",
    r"total process run time|^Uncaught exception:\s*$|java\.lang\.RuntimeException: Command exited with",
    r"Killed by external signal|Failing this attempt|Application report for|For more detailed output",
    r"iagnostics: *(?:N/A|AM container is launched|User (?:application|class) exited|\[.*AM container is launched|\[.*(?:Scheduler has assigned|Application is (?:added|Activated|waiting))|$)",
    r"redirect(?:Error|Output) to|[Ll]ocal EMR:",
)
