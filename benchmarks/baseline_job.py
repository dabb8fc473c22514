"""The workflow's original algorithm, to measure ours against: binaryFile, nine actions, each a pass over all files.

Its shape, not its text: the schema and a count; filter and rules as expressions; counts by split, by label and by both;
a sample; the metadata and the statistics each written through coalesce(1), which makes one task read everything.
"""

import sys
from datetime import datetime, timezone

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

source, target = (argument.rstrip("/") for argument in sys.argv[1:3])
spark = SparkSession.builder.appName("baseline").getOrCreate()
now = datetime.now(timezone.utc).strftime("%Y%m%d_%H%M%S")

files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").option("pathGlobFilter", "*.jpg")
images = files.load(source).select(
    F.col("path").alias("s3_path"),
    F.regexp_extract("path", r"/(?:Training|Test)/([^/]+)/", 1).alias("label"),
    F.regexp_extract("path", r"/([^/]+)$", 1).alias("filename"),
    F.regexp_extract("path", r"/(Training|Test)/", 1).alias("split"),
    F.date_format("modificationTime", "yyyy-MM-dd HH:mm:ss").alias("modification_time"),
    F.col("length").alias("file_size_bytes"),
)
print("images", images.count())  # 1
images.show(5, truncate=False)  # 2
images.groupBy("split").count().show()  # 3
print("classes", images.select("label").distinct().count())  # 4
images.groupBy("label").count().orderBy(F.desc("count")).show(10)  # 5
images.groupBy("label").count().orderBy("count").show(10)  # 6
stats = images.groupBy("split", "label").count().orderBy("split", "label")
stats.show(20)  # 7
images.coalesce(1).write.csv(f"{target}/metadata_{now}", header=True)  # 8
stats.coalesce(1).write.csv(f"{target}/stats_{now}", header=True)  # 9
spark.stop()
