"""What it costs to make a dataset, beside named peers: see `__main__`."""
