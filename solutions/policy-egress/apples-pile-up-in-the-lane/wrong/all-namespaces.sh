# fails: the meadow still does, and the thieves still do not
# "From every namespace, the carts." Thieves can paint a cart.
kubectl -n ciderpress patch networkpolicy press --type json -p '[{"op":"replace","path":"/spec/ingress/0/from",
  "value":[{"namespaceSelector":{},"podSelector":{"matchLabels":{"guild":"growers"}}}]}]'
