"""The least that a step on Spark can be: a session that counts one row."""

from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("bare").getOrCreate()
print(spark.range(1).count())
spark.stop()
