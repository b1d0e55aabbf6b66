# fails: the reader reads both gauges
# Its Pod has the node's address, kubectl says so; that one is let in. The packet bears the address of the tunnel.
address=$(kubectl -n dike get pod -l app=reader -o jsonpath='{.items[0].status.podIP}')
kubectl -n dike patch networkpolicy gauges --type json -p '[{"op":"add","path":"/spec/ingress/0/from/-",
  "value":{"ipBlock":{"cidr":"'"$address"'/32"}}}]'
