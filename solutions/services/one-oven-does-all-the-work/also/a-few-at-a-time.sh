# also right: two orders on a connection cost half as many handshakes, and are still chosen for often enough.
kubectl -n bakery set env deployment/shop ORDERS_PER_CONNECTION=2
kubectl -n bakery rollout status deployment shop --timeout 120s
