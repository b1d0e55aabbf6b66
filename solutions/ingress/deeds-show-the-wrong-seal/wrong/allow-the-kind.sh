# fails: whoever asks for the deeds sees their own seal
# The listener is told to take HTTPRoutes. It cannot read HTTP in what it does not open, and says so.
kubectl -n sealroom patch gateway counter --type json -p '[{"op":"add","path":"/spec/listeners/0/allowedRoutes",
  "value":{"namespaces":{"from":"Same"},"kinds":[{"kind":"TLSRoute"},{"kind":"HTTPRoute"}]}}]'
