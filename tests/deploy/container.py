"""The program's image, built out of its Dockerfile on this machine, and run as a container engine would.

buildah builds without a daemon. The base image is in a registry, so Debian's own packages of the same release and
Python stand in for it. What is run is alone with its processes, on a root that cannot be written, without capabilities.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from pipeline.runtime.leash import leashed
from tests.kafka_program import cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "deploy" / "docker" / "Dockerfile"

_RELEASE: Final = "trixie"
_PACKAGES: Final = "ca-certificates,netbase,tzdata,python3,python3-venv"
_BASE: Final = f"localhost/python-of-{_RELEASE}:1"
_IMAGE: Final = "localhost/onesignal-pipeline:test"
_NEEDED: Final = ("buildah", "mmdebstrap", "unshare")
_MOST_LAYERS_KEPT: Final = 200
_BUILD_SECONDS: Final = 900
_START_SECONDS: Final = 20
_COMMAND_SECONDS: Final = 60
# Of this machine, and of no image: whom it trusts, and where it gets Python packages.
_LENT: Final = (Path("/etc/ssl/certs"), Path("/usr/local/share/ca-certificates"), Path("/etc/pip.conf"))

# Becomes the program: it is process 1, and what it sees was mounted for it alone.
_ENTER: Final = """
set -eu
root=$1 user=$2 group=$3 folder=$4
shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/data"
mount -o remount,bind,ro "$root"
exec chroot "$root" /usr/bin/env --ignore-environment --chdir="$folder" /usr/bin/setpriv --reuid="$user" \
    --regid="$group" --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs /usr/bin/env "$@"
"""


class ImageUnavailableError(Exception):
    """This machine cannot build or run an image; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A program that runs in the image; `engine` is the process that waits for it."""

    engine: subprocess.Popen[str]

    @property
    def program(self) -> psutil.Process:
        """The program as this machine sees it. In its own world it is process 1."""
        deadline = time.monotonic() + _START_SECONDS
        while not (children := psutil.Process(self.engine.pid).children()):
            assert self.engine.poll() is None, self.engine.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (child,) = children
        return child

    def ended(self, seconds: float) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it said."""
        said, _ = self.engine.communicate(timeout=seconds)
        return self.engine.returncode, said

    def close(self) -> None:
        """End it, if it still runs."""
        self.engine.kill()
        self.engine.communicate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that has been built; its files are mounted at `root`."""

    root: Path
    configuration: Mapping[str, Any]
    size: str
    base_size: str

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> Container:
        """Start a command in it, with the image's environment under this one."""
        user, _, group = self.configuration["User"].partition(":")
        variables = [*self.configuration["Env"], *(f"{name}={value}" for name, value in environment.items())]
        enter = ["sh", "-c", _ENTER, "sh", str(self.root), user, group, self.configuration["WorkingDir"]]
        unshared = ["unshare", "--pid", "--mount", "--ipc", "--uts", "--fork", "--kill-child"]
        engine = subprocess.Popen(
            leashed([*unshared, *enter, *variables, *command]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Container(engine=engine)

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run a command to its end; return its exit code and what it says."""
        container = self.start(command, environment or {})
        try:
            return container.ended(_COMMAND_SECONDS)
        finally:
            container.close()


class Builder:
    """buildah, with its own store outside the clone: what has not changed is not built again."""

    def __init__(self) -> None:
        """Find what is needed.

        Raises:
            ImageUnavailableError: something is missing on this machine.
        """
        if lacking := [program for program in _NEEDED if shutil.which(program) is None]:
            raise ImageUnavailableError(
                f"to build the image takes {', '.join(lacking)}: apt-get install buildah mmdebstrap"
            )
        if os.geteuid() != 0:
            raise ImageUnavailableError("to build the image takes root")
        self._folder = cache_directory() / "image"
        self._folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def build(self, extras: str = "") -> Iterator[Image]:
        """Build the image as the Dockerfile says, with extras, and mount it for the length of the block.

        Raises:
            ImageUnavailableError: the base cannot be made.
        """
        if self._images().count(None) > _MOST_LAYERS_KEPT:
            self._run("rmi", "--all", "--force")
        if _BASE not in self._images():
            self._make_base()
        lent = [f"--volume={path}:{path}:ro" for path in _LENT if path.exists()]
        options = ["--isolation=chroot", "--pull-never", "--network=host", "--format=docker", "--layers"]
        image = _IMAGE if not extras else f"{_IMAGE}-{extras.replace(',', '-')}"
        arguments = [f"--build-arg=PYTHON_IMAGE={_BASE}", f"--build-arg=EXTRAS={extras}"]
        files = [f"--ignorefile={ROOT / '.dockerignore'}", f"--file={DOCKERFILE}", str(ROOT)]
        self._run("bud", *options, *lent, *arguments, f"--tag={image}", *files)
        container = self._run("from", "--pull-never", image).strip()
        try:
            yield Image(
                root=Path(self._run("mount", container).strip()),
                configuration=json.loads(self._run("inspect", "--type=image", image))["Docker"]["config"],
                size=self._size(image),
                base_size=self._size(_BASE),
            )
        finally:
            self._run("umount", container)
            self._run("rm", container)

    def _make_base(self) -> None:
        archive = self._folder / "base.tar"
        command = ["mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", _RELEASE, str(archive)]
        made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS)
        if made.returncode:
            raise ImageUnavailableError(f"Debian's packages for a base image are not available:\n{made.stderr[-2000:]}")
        container = self._run("from", "scratch").strip()
        self._run("add", "--quiet", container, str(archive), "/")
        self._run("commit", "--quiet", "--rm", container, _BASE)
        archive.unlink()

    def _images(self) -> list[str | None]:
        """Name every image; a layer that was built on the way, and is kept for the next time, has no name."""
        images = json.loads(self._run("images", "--all", "--json") or "null") or []
        return [name for image in images for name in image["names"] or (None,)]

    def _size(self, name: str) -> str:
        """Return the uncompressed size of an image with all its layers, such as `294 MB`."""
        size: str = json.loads(self._run("images", "--json", name))[0]["size"]
        return size

    def _run(self, *arguments: str) -> str:
        stores = [f"--root={self._folder / 'store'}", f"--runroot={self._folder / 'run'}", "--storage-driver=overlay"]
        command = ["buildah", *stores, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS)
        assert done.returncode == 0, f"buildah {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-4000:]}"
        return done.stdout
