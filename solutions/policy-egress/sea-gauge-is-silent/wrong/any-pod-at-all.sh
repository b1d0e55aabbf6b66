# fails: the reader reads both gauges
# Every Pod of every namespace may come in; one of them must be the reader. None is.
kubectl -n dike patch networkpolicy gauges --type json \
  -p '[{"op":"replace","path":"/spec/ingress/0/from","value":[{"namespaceSelector":{}}]}]'
