"""Follows one real connection through the cluster and returns its walk as data, hop by hop, from the kernel."""
