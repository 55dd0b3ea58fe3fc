"""Tests: unit (mirrors the package), properties, integration (real TCP), bench; with builders and fakes."""
