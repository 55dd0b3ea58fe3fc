"""Fetch Kafka Streams by Maven, compile the Java contestant, and return the command that runs it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.runs import RunError
from tests.kafka_program import KAFKA_VERSION, cache_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE: Final = Path(__file__).with_name("StreamsProcessor.java")
_PROGRAMS: Final = ("java", "javac", "mvn")
_FETCH_SECONDS: Final = 600
_COMPILE_SECONDS: Final = 120
_POM: Final = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>onesignal-pipeline</groupId>
  <artifactId>kafka-streams-for-benchmarks</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-streams</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>2.19.0</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


class StreamsProgram:
    """The compiled contestant."""

    def __init__(self, java: str, jars: Path, classes: Path) -> None:
        self._java = java
        self._class_path = f"{classes}:{jars}/*"

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs it."""
        options = ["-Xms128m", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        return [self._java, *options, "-cp", self._class_path, "StreamsProcessor", *arguments]


def missing_programs() -> list[str]:
    """Return the programs that this machine lacks."""
    return [name for name in _PROGRAMS if shutil.which(name) is None]


def compile_program(folder: Path) -> StreamsProgram | None:
    """Compile the contestant into a folder; return None if Java's compiler or Maven is missing.

    Raises:
        RunError: Maven could not fetch the jars, or the program does not compile.
    """
    java, javac, maven = (shutil.which(name) for name in _PROGRAMS)
    if java is None or javac is None or maven is None:
        return None
    jars = _fetched(maven)
    folder.mkdir(parents=True, exist_ok=True)
    _run([javac, "-cp", f"{jars}/*", "-d", str(folder), str(SOURCE)], folder, _COMPILE_SECONDS)
    return StreamsProgram(java, jars, folder)


def _fetched(maven: str) -> Path:
    """Fetch the jars once; two concurrent runs do not disturb each other."""
    jars = cache_directory() / f"kafka-streams-{KAFKA_VERSION}"
    if jars.exists():
        return jars
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=jars.parent) as name:
        directory = Path(name)
        (directory / "pom.xml").write_text(_POM, encoding="utf-8")
        _run([maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"], directory, _FETCH_SECONDS)
        with suppress(OSError):  # the other run was first, and its folder is complete
            (directory / "jars").rename(jars)
    return jars


def _run(command: Sequence[str], folder: Path, seconds: float) -> None:
    try:
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise RunError(f"{command[0]} takes longer than {seconds:g} s") from error
    if run.returncode:
        raise RunError(f"{command[0]} failed:\n{run.stdout}{run.stderr}")
