"""Make what is missing of the chart's tools, then run its tests: ``python -m tests.deploy [PYTEST OPTION ...]``."""

from __future__ import annotations

import os
import sys

from tests.deploy.toolbox import main

if code := main([]):
    sys.exit(code)
os.execv(sys.executable, [sys.executable, "-m", "pytest", "tests/deploy", *sys.argv[1:]])  # noqa: S606 -- no shell
