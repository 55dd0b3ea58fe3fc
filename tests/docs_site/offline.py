"""Run MkDocs with no way to a network, to prove that a build needs none: `python offline.py build --strict`.

It runs in the site's own environment, which has neither the project nor its tests.
"""

from __future__ import annotations

import runpy
import sys

_NETWORK_EVENTS = frozenset({"socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"})


def _refuse(event: str, _: tuple[object, ...]) -> None:
    if event in _NETWORK_EVENTS:
        raise PermissionError(f"the build of the site uses the network: {event}")


if __name__ == "__main__":
    sys.addaudithook(_refuse)
    sys.argv[0] = "mkdocs"
    runpy.run_module("mkdocs", run_name="__main__", alter_sys=True)
