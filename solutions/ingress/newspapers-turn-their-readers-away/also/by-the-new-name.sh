# also right: the annotation has a second name today, and one Ingress may be replaced by another that says the same.
kubectl -n ingress-nginx patch service ingress-nginx-controller --type merge -p '{"spec":{"externalTrafficPolicy":"Local"}}'
kubectl -n reading-room delete ingress newspapers
kubectl -n reading-room create ingress licence --class nginx --rule 'newspapers.example/*=newspapers:80' \
  --annotation nginx.ingress.kubernetes.io/allowlist-source-range=172.18.0.1
