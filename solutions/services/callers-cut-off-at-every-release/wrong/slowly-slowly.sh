# fails: the last release has cut off nobody
# minReadySeconds: let each new Pod prove itself. It is not the new Pods who put the receiver down.
kubectl -n switchboard patch deployment line -p '{"spec":{"minReadySeconds":2}}'
kubectl -n switchboard rollout restart deployment line
kubectl -n switchboard rollout status deployment line --timeout 120s
