# fails: the feeder gets plankton thirty times in a row
# The feeder calls an address and a port; so that very address and port are allowed. Nobody sees them any more.
address=$(kubectl -n aquarium get service plankton -o jsonpath='{.spec.clusterIP}')
kubectl -n aquarium patch networkpolicy plankton --type json \
  -p '[{"op":"replace","path":"/spec/ingress/0/ports/0/port","value":"plankton"}]'
kubectl -n aquarium patch networkpolicy feeder --type json \
  -p '[{"op":"replace","path":"/spec/egress/0/to","value":[{"ipBlock":{"cidr":"'"$address"'/32"}}]}]'
