"""Run the command line: `python -m pipeline` is the same program as `onesignal-pipeline`."""

from __future__ import annotations

from pipeline.cli.main import main

if __name__ == "__main__":
    main()
