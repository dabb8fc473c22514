"""A stand-in for the job, for the matrix of faults: the same results by boto3, without a Spark session to start.

INPUT OUTPUT [--fail] [--sleep SECONDS]; submitted by spark-submit like the real one.
"""

import sys
import time
from datetime import datetime, timezone

import boto3

words = sys.argv[3:]
time.sleep(float(words[words.index("--sleep") + 1]) if "--sleep" in words else 0.0)
if "--fail" in words:
    raise SystemExit("the step was to fail")
bucket, _, prefix = sys.argv[2][len("s3://") :].partition("/")
stamp = datetime.now(timezone.utc).strftime("%Y%m%d_%H%M%S")
s3 = boto3.client("s3")
metadata = "s3_path,label,filename,split,modification_time,file_size_bytes\n" + "x" * 60_000 + ",,,,,\n"
stats = "split,label,count\nTest,Apple,1\nTraining,Apple,2\n"
for name, content in (("metadata", metadata), ("stats", stats)):
    for file, body in (("part-00000.csv", content), ("_SUCCESS", "")):
        s3.put_object(Bucket=bucket, Key=f"{prefix}{name}_{stamp}/{file}", Body=body.encode())
