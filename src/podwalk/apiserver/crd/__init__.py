"""CustomResourceDefinitions: their own rules, and the kinds that they bring (k8s.io/apiextensions-apiserver)."""
