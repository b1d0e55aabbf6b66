"""podwalk: walk a packet through Kubernetes networking, break it, repair it, be graded by what it does."""

__version__ = "0.1.0"
