"""What runs on a node while a walk is followed: the standard library alone, sent there as text."""
