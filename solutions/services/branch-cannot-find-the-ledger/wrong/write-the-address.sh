# fails: the name leads to the Service by itself
# The clerk's way: the ClusterIP in the setting. It works on every call, until the Service is made anew.
address=$(kubectl -n accounts get service ledger -o jsonpath='{.spec.clusterIP}')
kubectl -n branch set env deployment/branch "LEDGER_URL=http://$address"
kubectl -n branch rollout status deployment branch --timeout 120s
