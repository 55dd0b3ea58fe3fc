"""Tests: unit (mirrors the package), properties, integration (real TCP), bench; builders and fakes beside them."""
