"""What is counted, one method for each fact."""
