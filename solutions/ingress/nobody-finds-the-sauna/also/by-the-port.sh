# also right: the door is named by its port.
kubectl -n baths patch httproute sauna --type json \
  -p '[{"op":"replace","path":"/spec/parentRefs/0","value":{"name":"entrance","port":80}}]'
