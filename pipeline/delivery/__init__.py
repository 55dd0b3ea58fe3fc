"""What every HTTP destination shares: lanes, request batches, retries, holds, dead letters, the client.

No vendor names here. `pipeline.delivery.api` is the contract that a destination implements; start reading at
`pipeline.delivery.lane`, which decides, and `pipeline.delivery.driver`, which carries it out.
"""
