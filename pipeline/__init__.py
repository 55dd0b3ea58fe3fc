"""Bring OneSignal's messaging events into Segment, through Kafka.

Start reading at `pipeline.core.processing`: the whole path of one message on one screen.
Then `pipeline.stream.agents`, then `pipeline.delivery.sink`.
"""
