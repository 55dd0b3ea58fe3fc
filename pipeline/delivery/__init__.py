"""What every HTTP destination shares. Start at `pipeline.delivery.lane`."""
