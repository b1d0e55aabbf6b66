"""The vendored schemas of the resources: what fields exist, how Go writes them, how patches merge them."""
