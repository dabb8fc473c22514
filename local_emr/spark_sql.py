"""`spark-sql` on a node of local EMR: Spark's own, with a Hive metastore in the working directory.

spark-sql -e "SELECT 1"
spark-sql --conf spark.sql.shuffle.partitions=2 -f s3://bucket/query.sql
"""

import sys

from local_emr import spark_submit
from local_emr.spark_arguments import WITH_VALUE

MAIN_CLASS = "org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver"
NO_FILE = "spark-internal"  # Spark's name for a main class of its own


def submit_words(words: list[str]) -> list[str]:
    """The same as words of spark-submit: its own options first, then what is for SQL, in any order as given."""
    options, rest, left = [], [], list(words)
    while left:
        word = left.pop(0)
        if word.partition("=")[0] not in WITH_VALUE:
            rest.append(word)
        elif "=" in word:
            options.append(word)
        else:
            options += [word, *left[:1]]
            left = left[1:]
    return [*options, "--class", MAIN_CLASS, NO_FILE, *rest]


def main(words: list[str]) -> int:
    return spark_submit.main(submit_words(words))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
