"""Run mutated bodies through two versions of the core, and explain every outcome that differs.

``bodies`` builds them, ``reading`` reads them by an independent implementation of the reading rules, and ``sections``
compares both. Nothing here imports the package under test, so the explanation does not depend on it.
"""
