# fails: three sprinklers are asked for, in bed two
# The other node is Ready. It waters a bed in which nothing grows.
kubectl -n greenhouse patch deployment sprinkler --type merge \
  -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$WORKER"'"}}}}}'
kubectl -n greenhouse rollout status deployment sprinkler --timeout 60s
