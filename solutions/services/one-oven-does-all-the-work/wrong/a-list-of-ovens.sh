# fails: the ovens are found by the Service
# The shop's program takes a list, so give it one: each oven in turn, quite evenly. A fourth one will stay cold.
ips=$(kubectl -n bakery get pod -l app=oven -o jsonpath='{range .items[*]}{.status.podIP}:8080,{end}')
kubectl -n bakery set env deployment/shop "OVEN_URL=http://{${ips%,}}" ORDERS_PER_CONNECTION=2
kubectl -n bakery rollout status deployment shop --timeout 120s
