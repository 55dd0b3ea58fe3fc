"""Build the site: `make site`."""

from __future__ import annotations

import sys

from tests.docs_site.building import PAGES, ROOT, build

if __name__ == "__main__":
    built = build()
    if built.returncode:
        sys.exit(built.stdout + built.stderr)
    print(f"Built {(PAGES / 'index.html').relative_to(ROOT)}. To read it: `python3 -m http.server` in that folder.")
