"""The only package that imports Faust."""
