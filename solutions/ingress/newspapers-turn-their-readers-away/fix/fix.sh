kubectl -n ingress-nginx patch service ingress-nginx-controller --type merge -p '{"spec":{"externalTrafficPolicy":"Local"}}'
