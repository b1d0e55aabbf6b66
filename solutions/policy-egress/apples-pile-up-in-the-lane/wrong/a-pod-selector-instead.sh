# fails: the orchard brings its apples to the press
# The carts carry the sign, so ask the Pods for it. A podSelector alone looks for them at the press's own place.
kubectl -n ciderpress patch networkpolicy press --type json -p '[{"op":"replace","path":"/spec/ingress/0/from",
  "value":[{"podSelector":{"matchLabels":{"guild":"growers"}}}]}]'
