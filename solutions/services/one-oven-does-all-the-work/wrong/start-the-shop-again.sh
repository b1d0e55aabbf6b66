# fails: every oven gets its share
# A new shop connects anew, once. Perhaps another oven glows now.
kubectl -n bakery rollout restart deployment shop
kubectl -n bakery rollout status deployment shop --timeout 120s
