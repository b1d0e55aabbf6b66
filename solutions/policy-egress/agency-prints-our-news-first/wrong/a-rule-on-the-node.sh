# fails: nothing was left behind on the nodes
# The node of the wire drops what comes from the agency's Pod. It works, and stays when the address is another's.
address=$(kubectl -n agency get pod stringer -o jsonpath='{.status.podIP}')
podwalk node "$(kubectl -n newsroom get pod -l app=wire -o jsonpath='{.items[0].spec.nodeName}')" -- \
  iptables -I FORWARD -s "$address" -p tcp --dport 7070 -j DROP
