# fails: that holds for the next Pods as well
# An address cannot be misread. It lets in the dresser, nobody else, and tomorrow whoever got that address.
address=$(kubectl -n playhouse get pod dresser -o jsonpath='{.status.podIP}')
kubectl -n wardrobe patch networkpolicy trunk --type json \
  -p '[{"op":"replace","path":"/spec/ingress/0/from","value":[{"ipBlock":{"cidr":"'"$address"'/32"}}]}]'
