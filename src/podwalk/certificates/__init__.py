"""cert-manager: Issuers, Certificates, requests, ACME orders and challenges become TLS Secrets.

Stands in for the controller of cert-manager/cert-manager (v1.18): pkg/controller/certificates (trigger, key manager,
request manager, issuing, readiness), pkg/controller/certificaterequests, pkg/controller/acmeorders, acmechallenges and
certificate-shim. ``keys``, ``signing``, ``policies`` and ``solver`` are pure.
"""
