"""What brokers answer to a fetch, read so that no bytes of it can end a consumer or fill its memory."""
