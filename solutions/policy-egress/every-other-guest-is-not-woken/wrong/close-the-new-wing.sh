# fails: both wings and their Service are as they were
# Every call that fails went to the new wing. Without it there are none.
kubectl -n grandhotel scale deployment new-wing --replicas 0
kubectl -n grandhotel wait --for=delete pod -l wing=new --timeout 120s
