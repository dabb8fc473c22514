"""What a job's Python on a node does first. It is on PYTHONPATH, so it must run on every Python since 3.8.

On EMR a script may say `.master("yarn")` itself. Here the cluster that it means is the one that spark-submit chose, so
such a setting is passed over, like those that only YARN understands; every other master is the script's own affair.
"""

import atexit
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys

# Settings that say how YARN is to give out its machines. Spark refuses some of them elsewhere, and waits for ever on
# others: an executor with more cores than there are is never found a place.
OF_YARN = (
    "spark.cores.max",
    "spark.dynamicAllocation.enabled",
    "spark.executor.cores",
    "spark.shuffle.service.enabled",
    "spark.submit.deployMode",
)


# Where pyspark is installed. Spark's Python path names zip files of the same modules, without compiled code: to compile
# them anew would take each of a job's Python processes a third of a second. (`bin` is a link in a Spark home of ours.)
SPARK = os.path.dirname(os.path.realpath(os.path.join(os.environ.get("SPARK_HOME", ""), "bin")))  # noqa: PTH118, PTH120


class Installed(importlib.abc.MetaPathFinder):
    """Finds pyspark and py4j where pip has put them, with their compiled code."""

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        if path is None and name in ("pyspark", "py4j"):
            return importlib.machinery.PathFinder.find_spec(name, [os.path.dirname(SPARK)])  # noqa: PTH120
        return None


class Settings(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands before the finders until pyspark.conf is imported, and changes its SparkConf.set."""

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name != "pyspark.conf":
            return None
        sys.meta_path.remove(self)
        found = importlib.util.find_spec(name)
        return found and importlib.machinery.ModuleSpec(name, self, origin=found.origin, loader_state=found.loader)

    def exec_module(self, module):  # type: ignore[no-untyped-def]
        spec = module.__spec__
        module.__file__ = spec.origin
        exec(spec.loader_state.get_code(spec.name), module.__dict__)  # noqa: S102  pyspark's own module
        original = module.SparkConf.set

        def set(self, key, value):  # type: ignore[no-untyped-def]
            if key in OF_YARN or (key == "spark.master" and str(value).startswith("yarn")):
                return self
            return original(self, key, value)

        module.SparkConf.set = set
        if os.environ.get("LOCAL_EMR_EXECUTORS"):
            atexit.register(stop_spark)


def stop_spark() -> None:
    """End a session that its script left open: at the JVM's own end, workers would start its executors anew."""
    context = getattr(sys.modules.get("pyspark.context"), "SparkContext", None)
    if context and context._active_spark_context:
        context._active_spark_context.stop()


def run_next() -> None:
    """The sitecustomize that this one hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  start-up of every Python: no pathlib
    others = [folder for folder in sys.path if folder != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec and spec.loader and spec.origin != __file__:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.meta_path[:0] = [Settings(), Installed()]
run_next()
