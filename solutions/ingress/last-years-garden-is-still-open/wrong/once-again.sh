# fails: visitors see this year's show
# Deleted and applied again, a third time. With each time the Ingress gets younger, and the oldest has the name.
kubectl -n garden-show delete ingress show
kubectl -n garden-show create ingress show --class nginx \
  --rule 'garden.example/*=beds:80' --rule 'garden.example/tickets*=tickets:80'
kubectl -n garden-show rollout restart deployment beds
kubectl -n garden-show rollout status deployment beds --timeout 60s
