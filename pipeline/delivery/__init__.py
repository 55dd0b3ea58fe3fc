"""What every HTTP destination shares: lanes, request batches, retries, holds, dead letters, the client.

It contains no vendor names. `pipeline.delivery.api` is the contract that a destination implements. Start reading at
`pipeline.delivery.lane`, which decides, and `pipeline.delivery.driver`, which carries out its decisions.
"""
