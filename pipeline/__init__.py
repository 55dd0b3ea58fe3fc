"""Forward OneSignal's messaging events from Kafka to Segment and Mixpanel.

Start reading here, in this order:

1. `core/processing.py`: the whole path of one message on one screen.
2. `processor/processor.py`: `Processor.handle` shows all effects of a message batch, in order.
3. `delivery/lane.py`: which records go into the next request, and which records an answer settles.
4. `sinks/segment/api.py` and `sinks/mixpanel/api.py`: what only one destination knows, behind the contract of
   `delivery/api.py`.
"""
