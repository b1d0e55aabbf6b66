"""Namespaces, links, Pod sandboxes and containers: the only room that touches the kernel. See docs/architecture.md."""
