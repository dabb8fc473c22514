"""The jobs whose logs are samples: failing ones by category, and healthy ones. Data for make_log_samples.py."""

from __future__ import annotations

from dataclasses import dataclass, field

SPARK = """\
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

spark = SparkSession.builder.appName("sample").getOrCreate()
sc = spark.sparkContext
"""


@dataclass(frozen=True)
class Job:
    """One run. `code` is its script; `how`: cluster, client, executors (real executor processes) or shell."""

    name: str
    code: str = ""
    how: str = "cluster"
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    command: str = ""
    script: str = "job.py"
    environment: dict[str, str] = field(default_factory=dict)


FAILING: dict[str, tuple[Job, ...]] = {
    "python-exception-driver": (
        Job(
            "division",
            SPARK
            + "\n\ndef share(total, parts):\n    return total / parts\n\n\nprint(share(spark.range(5).count(), 0))\n",
        ),
        Job(
            "chained",
            SPARK + "\n\ndef load(config):\n    try:\n        return config['size']\n    except KeyError as error:\n"
            "        raise RuntimeError('the configuration is not complete') from error\n\n\nload({})\n",
            "client",
        ),
        Job(
            "after-a-caught-one",
            SPARK + "import traceback\n\ntry:\n    int('x')\nexcept ValueError:\n    traceback.print_exc()\n"
            "for n in range(20):\n    print('went on', n)\nspark.range(3).show()\n[][1]\n",
        ),
    ),
    "python-exception-executor": (
        Job(
            "rdd",
            SPARK
            + "\n\ndef ratio(n):\n    return 10 / (n - 3)\n\n\nprint(sc.parallelize(range(8), 2).map(ratio).sum())\n",
        ),
        Job(
            "udf",
            SPARK + "\n\n@F.udf('int')\ndef length(text):\n    return len(text)\n\n\n"
            "spark.createDataFrame([('a',), (None,)], 'name string').select(length('name')).show()\n",
            "client",
        ),
        Job(
            "real-executors",
            SPARK
            + "\n\ndef parse(n):\n    return {'0': 'a'}[str(n)]\n\n\nprint(sc.parallelize(range(4), 2).map(parse).collect())\n",
            "executors",
        ),
        Job(
            "pandas-udf-exit",
            SPARK
            + "\n\ndef check(rows):\n    for row in rows:\n        if row > 5:\n            raise ValueError(f'row {row} is too large: timeout, access denied')\n"
            "        yield row\n\n\nprint(sc.parallelize(range(8), 2).mapPartitions(check).count())\n",
        ),
    ),
    "import-error": (
        Job("driver", "import pandas_that_is_missing\n"),
        Job(
            "executor",
            SPARK
            + "\n\ndef use(n):\n    import torchvision_missing\n    return n\n\n\nsc.parallelize(range(2)).map(use).collect()\n",
        ),
        Job("in-a-package", "from cv3.imgproc import resize\n", "client"),
    ),
    "syntax-error": (
        Job(
            "match",
            "import sys\n\n\ndef kind(n):\n    match n:\n        case 0:\n            return 'zero'\n",
            environment={"PYSPARK_PYTHON": "{python3.9}"},
        ),
        Job(
            "union",
            "def size(text: str | None) -> int:\n    return len(text or '')\n",
            "client",
            environment={"PYSPARK_PYTHON": "{python3.9}"},
        ),
        Job("colon", "def main()\n    pass\n"),
        Job("tomllib", "import tomllib\n", environment={"PYSPARK_PYTHON": "{python3.9}"}),
    ),
    "python-version": (
        Job(
            "worker",
            SPARK + "\nprint(sc.parallelize(range(3)).map(str).collect())\n",
            "executors",
            environment={"PYSPARK_PYTHON": "{python3.10}", "PYSPARK_DRIVER_PYTHON": "{python3.11}"},
        ),
        Job("not-there", SPARK, environment={"PYSPARK_PYTHON": "/opt/python3.13/bin/python3.13"}),
    ),
    "aws-credentials": (
        Job(
            "boto3",
            "import boto3\n\nboto3.client('s3', endpoint_url='http://127.0.0.1:9').list_buckets()\n",
            environment={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"},
            how="shell",
            command="env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY python3 {script}",
        ),
        Job("cli", how="shell", command="env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY aws s3 ls s3://{bucket}"),
    ),
    "s3-bucket-missing": (
        Job(
            "boto3", "import boto3\n\nboto3.client('s3').list_objects_v2(Bucket='there-is-no-such-bucket')\n", "client"
        ),
    ),
    "s3-key-missing": (
        Job(
            "boto3",
            "import boto3\n\nbody = boto3.client('s3').get_object(Bucket='{bucket}', Key='labels.json')['Body']\n",
        ),
        Job("cli", how="shell", command="set -e; aws s3 cp s3://{bucket}/not-there.csv . ; echo done"),
    ),
    "input-missing": (
        Job("spark", SPARK + "\nspark.read.parquet('s3://{bucket}/data/fruits-369/').count()\n"),
        Job("the-project-s", how="project", arguments=("s3://{bucket}/data/none/", "s3://{bucket}/output/")),
    ),
    "input-unreadable": (
        Job(
            "not-parquet",
            SPARK
            + "\nspark.range(3).write.mode('overwrite').csv('s3://{bucket}/csv')\nspark.read.schema('id long').parquet('s3://{bucket}/csv').show()\n",
        ),
    ),
    "output-exists": (
        Job("spark", SPARK + "\nfor _ in range(2):\n    spark.range(3).write.csv('s3://{bucket}/twice')\n"),
        Job(
            "rdd",
            SPARK + "\nfor _ in range(2):\n    sc.parallelize(range(3)).saveAsTextFile('s3://{bucket}/twice-rdd')\n",
            "client",
        ),
    ),
    "application-missing": (
        Job("script", how="submit", arguments=("s3://{bucket}/scripts/not_uploaded.py",)),
        Job("local-script", how="shell", command="python3 /home/hadoop/not_there.py"),
    ),
    "sql-analysis": (
        Job("column", SPARK + "\nspark.range(3).select('identifier').show()\n"),
        Job("table", SPARK + "\nspark.sql('select * from fruits').show()\n", "client"),
        Job("parse", SPARK + "\nspark.sql('selekt 1').show()\n"),
    ),
    "data-error": (
        Job(
            "cast",
            SPARK + "\nspark.conf.set('spark.sql.ansi.enabled', True)\nspark.sql(\"select cast('x' as int)\").show()\n",
        ),
        Job(
            "division",
            SPARK + "\nspark.conf.set('spark.sql.ansi.enabled', True)\nspark.range(3).selectExpr('1 / id').show()\n",
            "executors",
        ),
    ),
    "serialization": (
        Job(
            "lock",
            SPARK
            + "import threading\n\nlock = threading.Lock()\nsc.parallelize(range(2)).map(lambda n: (lock, n)[1]).collect()\n",
        ),
        Job("context", SPARK + "\nsc.parallelize(range(2)).map(lambda n: sc.parallelize([n]).count()).collect()\n"),
    ),
    "driver-result-size": (
        Job(
            "collect",
            SPARK + "\nprint(len(sc.parallelize(range(4), 4).map(lambda n: 'x' * 500_000).collect()))\n",
            options=("--conf", "spark.driver.maxResultSize=1m"),
        ),
    ),
    "driver-heap": (
        Job(
            "collect",
            SPARK + "\nrows = spark.range(6_000_000).selectExpr('id', \"repeat('x', 300) as text\").collect()\n",
            "executors",
            ("--driver-memory", "500m", "--conf", "spark.driver.maxResultSize=0"),
        ),
    ),
    "executor-heap": (
        Job(
            "group",
            SPARK
            + "\nrows = spark.range(60_000_000).selectExpr('id % 2 as k', \"concat('x', id) as text\")\nprint(rows.groupBy('k').agg(F.collect_list('text').alias('t')).selectExpr('size(t)').collect())\n",
            "executors",
        ),
    ),
    "python-memory": (
        Job(
            "executor",
            SPARK
            + "\n\ndef grow(n):\n    import resource\n    resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\n    return len(bytearray(1 << 32))\n\n\nprint(sc.parallelize(range(2), 2).map(grow).collect())\n",
        ),
        Job(
            "driver",
            "import resource\n\nresource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\nblob = bytearray(1 << 32)\n",
        ),
    ),
    "executor-lost": (
        Job(
            "killed",
            SPARK
            + "\n\ndef die(n):\n    import os, signal\n    os.kill(os.getppid(), signal.SIGKILL) if False else None\n    import subprocess\n    pid = os.getpid()\n    for _ in range(4):\n        pid = int(open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1])\n        if 'java' in open(f'/proc/{pid}/comm').read():\n            os.kill(pid, signal.SIGKILL)\n            break\n\n\nsc.parallelize(range(2), 2).map(die).collect()\n",
            "executors",
        ),
        Job(
            "worker-crash",
            SPARK
            + "\n\ndef die(n):\n    import os\n    os.abort()\n\n\nsc.parallelize(range(2), 2).map(die).collect()\n",
        ),
    ),
    "disk-full": (
        Job("driver", "with open('/dev/full', 'w') as file:\n    file.write('x' * 100_000)\n"),
        Job(
            "executor",
            SPARK
            + "\n\ndef spill(n):\n    with open('/dev/full', 'w') as file:\n        file.write('x' * 100_000)\n\n\nsc.parallelize(range(2), 2).map(spill).collect()\n",
        ),
    ),
    "timeout": (
        Job(
            "broadcast",
            SPARK
            + "\nspark.conf.set('spark.sql.broadcastTimeout', 1)\n\n\n@F.udf('long')\ndef slow(n):\n    import time\n    time.sleep(0.5)\n    return n\n\n\nsmall = spark.range(40).select(slow('id').alias('id'))\nspark.range(10).join(F.broadcast(small), 'id').count()\n",
        ),
        Job(
            "socket",
            "import socket\n\nserver = socket.create_server(('127.0.0.1', 0))\nclient = socket.create_connection(server.getsockname(), timeout=0.3)\nclient.recv(1)\n",
        ),
    ),
    "bad-jar": (
        Job("class", how="submit", options=("--class", "com.example.Main"), arguments=("{jar}",)),
        Job("source", SPARK + "\nspark.read.format('delta').load('s3://{bucket}/x').show()\n"),
        Job("missing", how="jar", arguments=("s3://{bucket}/jars/not-there.jar",)),
        Job("java-call", SPARK + "\nsc._jvm.com.example.Tool.run()\n"),
    ),
    "submit-arguments": (
        Job("option", how="shell", command="spark-submit --executor-memroy 4g s3://{bucket}/scripts/job.py"),
        Job("none", how="shell", command="spark-submit --deploy-mode cluster --master yarn"),
        Job("size", SPARK, options=("--conf", "spark.executor.memory=4gigs"), how="executors"),
        Job("conf", how="shell", command="spark-submit --conf spark.executor.memory s3://{bucket}/scripts/job.py"),
    ),
    "network": (
        Job("name", "import urllib.request\n\nurllib.request.urlopen('http://no-such-host.invalid/labels.json')\n"),
        Job(
            "refused",
            "import boto3\n\nboto3.client('s3', endpoint_url='http://127.0.0.1:9', config=__import__('botocore.config').config.Config(retries={'total_max_attempts': 1})).list_buckets()\n",
        ),
    ),
    "job-arguments": (
        Job("missing", how="project", arguments=()),
        Job("unknown", how="project", arguments=("s3://{bucket}/a/", "s3://{bucket}/b/", "--colour")),
    ),
    "job-exit": (
        Job(
            "sentence",
            SPARK
            + "import sys\n\nspark.range(3).count()\nsys.exit('sample: 12 of 15 labels have no image, giving up')\n",
        ),
    ),
    "command-failed": (Job("shell", how="shell", command="set -e; echo starting; convert-images --all; echo done"),),
}

HEALTHY: tuple[Job, ...] = (
    Job("count", SPARK + "\nprint(spark.range(1000).count())\n"),
    Job("client", SPARK + "\nprint(spark.range(1000).count())\n", "client"),
    Job("executors", SPARK + "\nprint(sc.parallelize(range(100), 4).map(str).count())\n", "executors"),
    Job(
        "join",
        SPARK
        + "\na = spark.range(100)\nprint(a.join(a.selectExpr('id * 2 as id'), 'id').groupBy((F.col('id') % 3)).count().collect())\n",
        "executors",
    ),
    Job(
        "write-read",
        SPARK
        + "\nspark.range(10).write.mode('overwrite').parquet('s3://{bucket}/healthy')\nprint(spark.read.parquet('s3://{bucket}/healthy').count())\n",
    ),
    Job(
        "says-error",
        SPARK
        + "\nprint('ERROR: 0 rows were wrong')\nprint('ERROR ERROR this word is data')\nprint(spark.range(3).count())\n",
    ),
    Job(
        "says-exception",
        SPARK
        + "\nfor word in ('Exception', 'java.lang.OutOfMemoryError: Java heap space', 'No space left on device', 'Traceback'):\n    print('a fruit called', word)\nspark.createDataFrame([('FetchFailedException: x',)], 'text string').show(truncate=False)\n",
    ),
    Job(
        "caught-print",
        SPARK
        + "import traceback\n\ntry:\n    int('x')\nexcept ValueError:\n    traceback.print_exc()\nprint(spark.range(3).count())\n",
    ),
    Job(
        "caught-logged",
        SPARK
        + "import logging\n\nlogging.basicConfig()\ntry:\n    spark.read.parquet('s3://{bucket}/none')\nexcept Exception:\n    logging.exception('no earlier results: starting afresh')\nprint(spark.range(3).count())\n",
    ),
    Job(
        "caught-last",
        SPARK
        + "import traceback\n\nprint(spark.range(3).count())\ntry:\n    open('/nowhere')\nexcept OSError:\n    traceback.print_exc()\n",
        "client",
    ),
    Job(
        "retried-task",
        SPARK
        + "\n\ndef flaky(n):\n    from pyspark import TaskContext\n    if TaskContext.get().attemptNumber() == 0 and n == 1:\n        raise ValueError('not this time')\n    return n\n\n\nprint(sc.parallelize(range(4), 2).map(flaky).sum())\n",
        "executors",
    ),
    Job(
        "retried-stage",
        SPARK
        + "\n\ndef die(n):\n    import os, signal\n    from pyspark import TaskContext\n    if TaskContext.get().attemptNumber() == 0 and n == 1:\n        pid = os.getpid()\n        for _ in range(4):\n            pid = int(open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1])\n            if 'java' in open(f'/proc/{pid}/comm').read():\n                os.kill(pid, signal.SIGKILL)\n                break\n        import time\n        time.sleep(5)\n    return n\n\n\nprint(sc.parallelize(range(4), 2).map(flaky if False else die).sum())\n",
        "executors",
    ),
    Job(
        "warnings",
        SPARK
        + "import warnings\n\nwarnings.warn('this failed before')\nspark.range(3).toDF('a').withColumn('b', F.col('a')).show()\nspark.conf.set('spark.sql.adaptive.enabled', False)\n",
    ),
    Job(
        "boto3-caught",
        "import boto3\nfrom botocore.exceptions import ClientError\n\ntry:\n    boto3.client('s3').head_object(Bucket='{bucket}', Key='none')\nexcept ClientError as error:\n    print('not there yet:', error)\n",
    ),
    Job(
        "streams",
        SPARK
        + "import sys\n\nprint('failed: 0, errors: 0')\nprint('warning: 3 images failed to decode and were left out', file=sys.stderr)\nprint(spark.range(2).count())\n",
        "client",
    ),
    Job("stop-twice", SPARK + "\nspark.range(3).count()\nspark.stop()\nspark.stop()\n"),
    Job("shell", how="shell", command="echo hello; ls /none || echo it is not there; aws s3 ls"),
    Job("python", how="shell", command="python3 -c 'import sys; print(sys.version_info[:1]); sys.exit(0)'"),
    Job(
        "thread-interrupted",
        SPARK
        + "import threading\n\n\ndef fail():\n    raise RuntimeError('a helper thread ended')\n\n\nthread = threading.Thread(target=fail)\nthread.start()\nthread.join()\nprint(spark.range(3).count())\n",
    ),
    Job(
        "skewed",
        SPARK + "\nprint(spark.range(200000).withColumn('k', F.lit(1)).groupBy('k').count().collect())\n",
        "client",
    ),
    Job("sql-null", SPARK + "\nspark.sql(\"select cast('x' as int), try_divide(1, 0), 'Error' as Error\").show()\n"),
    Job("the-project-s", how="project", arguments=("s3://{bucket}/images/", "s3://{bucket}/fruits/")),
)
