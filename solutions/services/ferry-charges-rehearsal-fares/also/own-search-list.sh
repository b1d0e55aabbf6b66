# also right: a list without svc.cluster.local, in which nobody's namespace can end a name of the outside.
kubectl -n ferry patch deployment booth --type merge -p '{"spec":{"template":{"spec":{"dnsPolicy":"None",
  "dnsConfig":{"nameservers":["10.96.0.10"],"searches":["ferry.svc.cluster.local"],
  "options":[{"name":"ndots","value":"1"}]}}}}}'
kubectl -n ferry rollout status deployment booth --timeout 120s
