# fails: one Ingress alone claims the name
# It goes by age, so the archive's Ingress is made anew, word for word, and is the younger. Until the next restore.
born=$(kubectl -n garden-show get ingress show -o jsonpath='{.metadata.creationTimestamp}')
while [ "$(date -u +%Y-%m-%dT%H:%M:%SZ)" = "$born" ]; do sleep 0.1; done
kubectl -n garden-archive delete ingress catalogue
kubectl -n garden-archive create ingress catalogue --class nginx \
  --rule 'garden.example/*=catalogue:80' --rule 'archive.garden.example/*=catalogue:80'
