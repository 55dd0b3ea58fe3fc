"""Read the brokers' fetch responses so that no bytes in them can end a consumer or fill its memory."""
