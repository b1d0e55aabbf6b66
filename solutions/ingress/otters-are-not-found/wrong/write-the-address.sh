# fails: visitors see the otters
# The column ADDRESS is empty, so somebody fills it in. It is a report, not an order.
address=$(kubectl -n ingress-nginx get service ingress-nginx-controller -o jsonpath='{.status.loadBalancer.ingress[0].ip}')
kubectl -n otter-pool patch ingress otters --subresource status --type merge \
  -p '{"status":{"loadBalancer":{"ingress":[{"ip":"'"$address"'"}]}}}'
