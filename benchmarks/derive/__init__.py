"""From events to records beside named peers, and what a new day costs: `make bench-derive`."""
