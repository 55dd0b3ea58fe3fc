"""What deploys the pipeline, checked with the real tools: `make test-chart`."""
