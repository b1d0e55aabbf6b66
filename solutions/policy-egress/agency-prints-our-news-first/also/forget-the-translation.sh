# also right: forgotten on the agency's node, which translates the Service's address: its Pod hangs up.
address=$(kubectl -n agency get pod stringer -o jsonpath='{.status.podIP}')
podwalk node "$(kubectl -n agency get pod stringer -o jsonpath='{.spec.nodeName}')" -- \
  conntrack -D -p tcp -s "$address" --dport 7070
