"""What the pipeline remembers between messages, kept in compacted topics. Start at `pipeline.state.store`."""
