"""Run mutated bodies through two versions of the core, and explain every outcome that differs.

``bodies`` makes them, ``reading`` reads them once more by the words of the issue that changed the core, and
``sections`` holds both against each other. Nothing here imports the package that is tested, so the explanation does not
depend on it.
"""
