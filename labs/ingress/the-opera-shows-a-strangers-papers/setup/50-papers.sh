# The office has had its papers for weeks.
kubectl -n opera-office wait --for=condition=Ready certificate/opera --timeout=120s >/dev/null
