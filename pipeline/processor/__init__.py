"""The processor role without Faust. Start at `pipeline.processor.processor`."""
