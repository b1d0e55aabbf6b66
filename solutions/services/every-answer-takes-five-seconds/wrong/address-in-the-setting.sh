# fails: thirty calls take no time at all
# What Ines wanted: the address in the setting. That URL is quick, and the name is as slow as before.
address=$(kubectl -n pharmacy get service shelf -o jsonpath='{.spec.clusterIP}')
kubectl -n pharmacy set env deployment/counter "SHELF_URL=http://$address"
kubectl -n pharmacy rollout status deployment counter --timeout 120s
