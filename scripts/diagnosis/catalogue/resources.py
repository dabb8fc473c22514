"""Memory, disks, nodes, time: what a cluster runs out of. A consequence gives way to what brought it about."""

from scripts.diagnosis.model import CONSEQUENCE, Rule

_WHY_LOST = (
    "executor-memory-yarn", "executor-heap", "disk-full", "node-lost", "python-memory", "python-version", "import-error",
)  # fmt: skip
_OOM = (
    r"OutOfMemoryError: (?P<what>Java heap space|GC overhead limit exceeded|Requested array size exceeds VM limit)",
    r"OutOfMemoryError: (?P<what>Metaspace|Direct buffer memory|Compressed class space)",
    r"Terminating due to java\.lang\.OutOfMemoryError: (?P<what>[^\n]+)",
    r"java\.lang\.OutOfMemoryError\b(?!:? (?:unable|error|Unable))",
    r"SparkOutOfMemoryError|UNABLE_TO_ACQUIRE_MEMORY|Not enough memory to build and broadcast|_LEGACY_ERROR_TEMP_2250",
)
_NO_THREAD = r"OutOfMemoryError: [Uu]nable to create (?:new )?native thread"

RULES = (
    Rule(
        "disk-full",
        (
            r"No space left on device|ENOSPC|\[Errno 28\]|Disk quota exceeded|There is not enough space on the disk",
            r"No space available in any of the local directories|Could not find any valid local directory",
            r"local-dirs? (?:usable space is below|are bad)|local-dirs (?:have errors|turned bad)|used space above threshold",
            r"INSUFFICIENT_DISK_SPACE",
        ),
        "A node's disk is full.",
        "Raise EBS_VOLUME_SIZE, or spread the data over more nodes (CORE_INSTANCE_COUNT); a skewed shuffle or a persisted"
        " DataFrame may be what fills it.",
    ),
    Rule(
        "driver-result-size",
        (
            r"Total size of serialized results of (?P<tasks>\d+) tasks \((?P<size>[^)]+)\) is bigger than (?:local )?(?:maxResultSize|spark\.driver\.maxResultSize)",
            r"is bigger than spark\.driver\.maxResultSize",
        ),
        "More was collected to the driver than spark.driver.maxResultSize allows.",
        "Write the DataFrame instead of collect() or toPandas(), or take less of it; else raise"
        " spark.driver.maxResultSize, and SPARK_DRIVER_MEMORY with it.",
    ),
    Rule(
        "driver-memory-yarn",
        (
            r"AM Container .*exited with\s+exitCode: -10[34]",
            r"appattempt\S* .*exited with\s+exitCode: -10[34]",
            r"container_(?:e\d+_)?\d+_\d+_\d+_000001\]? is running (?:\d+B )?beyond (?:the )?'?(?i:physical|virtual)'? memory limit",
            r"AM Container .*exited with\s+exitCode: (?:137|143)",
        ),
        "YARN killed the driver's container: it used more memory than it asked for.",
        "Raise SPARK_DRIVER_MEMORY (the container is that and 10 %), or bring less to the driver: collect(), toPandas(),"
        " broadcasts.",
    ),
    Rule(
        "executor-memory-yarn",
        (
            r"Container killed by YARN for exceeding (?:physical |virtual )?memory limits",
            r"is running (?:\d+B )?beyond (?:the )?'?(?i:physical|virtual)'? memory limit",
            r"(?:[Ee]xit status|exitCode): -10[34]\b",
        ),
        "YARN killed an executor: it used more memory than its heap and overhead together. Python's share lies in the"
        " overhead.",
        "Raise SPARK_EXECUTOR_MEMORY_OVERHEAD (first, for PySpark), or more and smaller partitions; then"
        " SPARK_EXECUTOR_MEMORY or a larger CORE_INSTANCE_TYPE.",
    ),
    Rule(
        "too-many-threads",
        (
            _NO_THREAD,
            r"pthread_create failed|Resource temporarily unavailable|can't start new thread|Too many open files",
        ),
        "A process may open no more threads or files on its node.",
        "Fewer threads or open files at once in the job (thread pools, files per task), or a larger CORE_INSTANCE_TYPE.",
    ),
    Rule(
        "executor-heap",
        (*_OOM, r"(?:[Ee]xit status|[Ee]xit code is|exitCode|Command exited with code):? 52\b"),
        "An executor's Java heap is full.",
        "Raise SPARK_EXECUTOR_MEMORY, or give each task less: more partitions, no wide collect_list, no broadcast of a"
        " large table.",
        where="executor",
    ),
    Rule(
        "driver-heap",
        _OOM,
        "The driver's Java heap is full.",
        "Raise SPARK_DRIVER_MEMORY, or bring less to the driver: collect(), toPandas(), broadcast joins, listings of very"
        " many files.",
        where="driver",
    ),
    Rule(
        "python-memory",
        (
            r"(?:^|\b)MemoryError\b|_?ArrayMemoryError|Unable to allocate \S+ \S+ for an array",
            r"Cannot allocate memory|ArrowMemoryError|malloc of size \d+ failed",
        ),
        "Python on an executor ran out of memory.",
        "Raise SPARK_EXECUTOR_MEMORY_OVERHEAD, which Python's memory comes from, or handle less in one go (smaller"
        " partitions, smaller Arrow batches).",
        where="executor",
    ),
    Rule(
        "python-memory",
        (
            r"(?:^|\b)MemoryError\b|_?ArrayMemoryError|Unable to allocate \S+ \S+ for an array",
            r"Cannot allocate memory|ArrowMemoryError|malloc of size \d+ failed",
        ),
        "Python in the driver ran out of memory.",
        "Bring less to the driver (collect(), toPandas()), or take a larger CORE_INSTANCE_TYPE.",
        where="driver",
    ),
    Rule(
        "node-lost",
        (
            r"Container released on a \*?lost\*? node|[Ee]xit status: -100\b|exited with\s+exitCode: -100\b",
            r"(?i:executor|worker|node) (?:\S+ )?decommission(?:ed|ing)?\b(?! not)|ExecutorDecommission|Decommission(?:ed|ing) (?:executor|node|host|block)",
            r"[Ss]pot (?:[Ii]nstance )?(?:interrupt|terminat|reclaim)|Instance was terminated|(?i:spot) interruption",
            r"(?:node|host|worker) (?:\S+ )?(?:was|is|has been) (?:lost|terminated|reclaimed)|Worker lost|LOST node|Container marked as failed:.*lost node",
        ),
        "A node went away under the job: a spot instance was taken back, or the cluster shrank.",
        "Run it again, with on-demand core nodes (the default here); shuffle data on a lost node is computed anew.",
        alone=False,
    ),
    Rule(
        "shuffle-fetch-failed",
        (
            r"FetchFailed(?:Exception)?\b|MetadataFetchFailedException|Missing an output location for shuffle",
            r"has failed the maximum allowable number of times",
            r"Failed to connect to .*shuffle|ShuffleBlockFetcherIterator: Failed to get block",
        ),
        "Shuffle data could not be fetched: the executor that held it was lost, or did not answer.",
        "Look why executors were lost (memory, disks, spot); raise SPARK_EXECUTOR_MEMORY_OVERHEAD and"
        " SPARK_EXECUTOR_MEMORY, or use more partitions, and run it again.",
        role=CONSEQUENCE,
        explained_by=_WHY_LOST,
        alone=False,
    ),
    Rule(
        "timeout",
        (
            r"Could not execute broadcast in (?P<time>\d+) secs",
            r"(?:TimeoutException|RpcTimeoutException): (?:Futures timed out|Cannot receive any reply|Timeout)",
            r"Futures timed out after \[(?P<time>[^\]]+)\]",
            r"[Hh]eartbeat timed out after (?P<time>\d+ ms)|Executor heartbeat timed out",
            r"SparkContext did not initialize after waiting for (?P<time>\d+ ms)",
            r"(?:SocketTimeoutException|ConnectTimeoutException|ReadTimeoutError|ConnectTimeoutError|ReadTimeout\b|ConnectTimeout\b)",
            r"(?:^|\b)(?:TimeoutError|socket\.timeout)\b|ApiCallTimeoutException|ApiCallAttemptTimeoutException",
            r"Connection timed out",
        ),
        "Something did not answer in time.",
        "For a broadcast: raise spark.sql.broadcastTimeout, or spark.sql.autoBroadcastJoinThreshold=-1. For heartbeats and"
        " RPCs: the executor is short of memory, raise SPARK_EXECUTOR_MEMORY. For a service: is it reachable from"
        " EC2_SUBNET?",
        role=CONSEQUENCE,
        explained_by=(*_WHY_LOST, "driver-heap"),
        alone=False,
    ),
    Rule(
        "executor-lost",
        (
            r"(?:Exit status|Exit code is|exit code|exited with code|exitCode):? (?P<status>137|143|134|139|1)\b",
            r"ExecutorLostFailure|Container (?:from a bad node|marked as failed)|Slave lost|Executor Process Lost",
            r"Remote RPC client disassociated|remote Rpc client disassociated",
            r"Max number of executor failures \((?P<count>\d+)\) reached",
            r"Python worker exited unexpectedly \(crashed\)|Python worker (?:failed to connect back|process terminated)",
        ),
        "Executors were lost, and their logs do not say why; exit status 137 (killed) is nearly always memory.",
        "Raise SPARK_EXECUTOR_MEMORY_OVERHEAD, then SPARK_EXECUTOR_MEMORY, or use more and smaller partitions; the"
        " executors' own stderr lies beside this log.",
        where="executor",
        role=CONSEQUENCE,
        explained_by=_WHY_LOST,
        alone=False,
    ),
    Rule(
        "yarn-request",
        (
            r"Required (?:executor|AM) memory .* is above the (?:max threshold|cluster)",
            r"InvalidResourceRequestException|Invalid resource request",
            r"The cluster does not have enough (?:memory|cores|resource)|requested (?:memory|virtual cores) [<>]",
        ),
        "A container was asked for that no node of this cluster is large enough for.",
        "Lower SPARK_EXECUTOR_MEMORY, SPARK_EXECUTOR_MEMORY_OVERHEAD or SPARK_DRIVER_MEMORY, or take a larger"
        " CORE_INSTANCE_TYPE.",
    ),
    Rule(
        "yarn-waiting",
        (
            r"Initial job has not accepted any resources",
            r"Application report for \S+ \(state: ACCEPTED\)",
        ),
        "YARN never gave the job what it needs to start.",
        "Is another step or application holding the cluster? Else raise CORE_INSTANCE_COUNT, or ask for less"
        " (SPARK_DRIVER_MEMORY, SPARK_EXECUTOR_MEMORY).",
        where="waiting",
    ),
)
