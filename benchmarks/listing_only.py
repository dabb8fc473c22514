"""The job's listing, and with `transform` as a second argument its rules, into nowhere: what each of them takes."""

import sys

from pyspark.sql import SparkSession
from read_fruits_data import QUICK_PLANS, transform
from s3_listing import read_listing

root = sys.argv[1].rstrip("/")
builder = SparkSession.builder.appName("listing")
for name, value in QUICK_PLANS.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
files = read_listing(spark, root)
(transform(files, root) if sys.argv[2:] else files).write.format("noop").mode("overwrite").save()
spark.sparkContext._jsc.stop()
