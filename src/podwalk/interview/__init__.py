"""The mock interview: a track is drawn from the bank, asked against the clock, and told as a report."""
