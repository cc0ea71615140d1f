"""What is going on inside: graphs to look at, and where a NaN comes from."""
