"""Live faults: broken on purpose, shown by real packets, taken back without a trace; and the drill on them."""
