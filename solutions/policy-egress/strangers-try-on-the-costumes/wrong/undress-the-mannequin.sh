# fails: what stands on the Pods and namespaces is as it was
# The labels are to blame, so they are changed until the rule as it stands is harmless, and the house is none.
kubectl -n wardrobe label pod mannequin role=mannequin --overwrite
kubectl label namespace playhouse house=closed --overwrite
kubectl -n wardrobe patch networkpolicy trunk --type json -p '[{"op":"replace","path":"/spec/ingress/0/from","value":[
  {"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"playhouse"}},
   "podSelector":{"matchLabels":{"role":"dresser"}}}]}]'
