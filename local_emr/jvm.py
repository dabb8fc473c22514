"""The command line of a JVM that runs Spark or Hadoop."""

import os
import tempfile

from local_emr.java import java_home

# What Spark needs opened of Java 17: org.apache.spark.launcher.JavaModuleOptions of 3.5.
OPENED = [
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
]

OPENED_OPTIONS = [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED]
COLLECTOR = "-XX:+UseParallelGC"  # EMR's choice for Spark, too; with it a JVM here starts sooner than with G1


def java() -> str:
    return str(java_home() / "bin" / "java")


def java_command(class_path: list[str], options: list[str]) -> list[str]:
    """`java` up to, and without, the main class."""
    chosen = any(option.startswith("-XX:+Use") and option.endswith("GC") for option in options)
    return [
        java(),
        "-cp",
        os.pathsep.join(class_path),
        f"-Djava.io.tmpdir={tempfile.gettempdir()}",
        "-XX:+IgnoreUnrecognizedVMOptions",
        *OPENED_OPTIONS,
        "-Djdk.reflect.useDirectMethodHandle=false",
        *([] if chosen else [COLLECTOR]),
        *options,
    ]
