# serviceName and subdomain are both fixed at birth: the StatefulSet is made anew, and its Pods with it.
kubectl -n harbour get statefulset lamp -o json | sed 's/"serviceName": "lamp"/"serviceName": "lamps"/' |
  kubectl replace --force --timeout 60s -f -
kubectl -n harbour rollout status statefulset lamp --timeout 120s
