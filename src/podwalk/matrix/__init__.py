"""Who reaches whom: probes of Pods, ports and the outside, beside what the policies say."""
