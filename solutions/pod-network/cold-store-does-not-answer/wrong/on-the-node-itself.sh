# fails: the porter reads the office
# The node is reached by everybody, so the thermometer uses the node's network. It alone: every other Pod stays cut off.
kubectl -n dairy patch deployment coldstore -p '{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null},"template":{"spec":{"hostNetwork":true}}}}'
kubectl -n dairy rollout status deployment coldstore --timeout 60s
