"""HTTP out; a folder for each destination."""
