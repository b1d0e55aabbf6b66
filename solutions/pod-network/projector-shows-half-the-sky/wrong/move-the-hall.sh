# fails: the stars are where their disks are
# Both halls on the node that hears: no call hangs any more, and one hall's disk is elsewhere.
node=$WORKER2
[ "$LAB_HALL" = east ] || node=$WORKER
kubectl -n planetarium patch deployment "stars-$LAB_HALL" --type merge \
  -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$node"'"}}}}}'
kubectl -n planetarium rollout status deployment "stars-$LAB_HALL" --timeout 60s
