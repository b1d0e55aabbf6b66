# fails: the last release has cut off nobody
# Recreate: all old ones go, then all new ones come. Now those who dial are lost as well.
kubectl -n switchboard patch deployment line -p '{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}'
kubectl -n switchboard rollout restart deployment line
kubectl -n switchboard rollout status deployment line --timeout 120s
