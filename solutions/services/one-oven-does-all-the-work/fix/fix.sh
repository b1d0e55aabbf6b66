# One order, one connection, one choice.
kubectl -n bakery set env deployment/shop ORDERS_PER_CONNECTION=1
kubectl -n bakery rollout status deployment shop --timeout 120s
