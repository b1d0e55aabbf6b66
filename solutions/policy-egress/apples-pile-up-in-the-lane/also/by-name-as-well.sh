# also right: the orchard by its name, which no rebuild can lose, beside the guild's sign.
kubectl -n ciderpress patch networkpolicy press --type json -p '[{"op":"add","path":"/spec/ingress/0/from/-",
  "value":{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"orchard"}}}}]'
