"""`spark-example` on a node of local EMR: the examples of Spark that its Python package has, by their Scala names.

spark-example SparkPi 10
"""

import sys
from pathlib import Path

from local_emr import spark_submit

FILES = {"SparkPi": "pi.py", "SparkPageRank": "pagerank.py", "SparkTC": "transitive_closure.py"}


def main(words: list[str]) -> int:
    place = next((n for n, word in enumerate(words) if word.rpartition(".")[2] in FILES), None)
    if place is None:
        known = ", ".join(FILES)
        print(f"local EMR: spark-example {' '.join(words)}: not available; {known} are.", file=sys.stderr)
        return 1
    name = words[place].rpartition(".")[2]
    print(f"local EMR: {name} is Spark's Python example {FILES[name]}.", file=sys.stderr)
    script = Path(spark_submit.spark_home(), "examples/src/main/python", FILES[name])
    return spark_submit.main([*words[:place], str(script), *words[place + 1 :]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
