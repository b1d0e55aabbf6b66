# fails: the sorter reaches every desk of the annex
# New Pods get new addresses in the same range, behind the same end of the tunnel.
kubectl -n postoffice rollout restart deployment annex
kubectl -n postoffice rollout status deployment annex --timeout 60s
