# fails: the umpire gets an answer
# The Service gets the number in place of the name, and a new Pod. The refusal never came from the Service.
kubectl -n centrecourt patch service score --type json \
  -p '[{"op":"replace","path":"/spec/ports/0/targetPort","value":'"$LAB_PORT"'}]'
kubectl -n centrecourt rollout restart deployment score
kubectl -n centrecourt rollout status deployment score --timeout 120s
