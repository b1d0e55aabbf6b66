# fails: the agency hears nothing any more
# The wire's node is told to forget the connection. The next piece of news makes it a new one, the other way round.
address=$(kubectl -n agency get pod stringer -o jsonpath='{.status.podIP}')
podwalk node "$(kubectl -n newsroom get pod -l app=wire -o jsonpath='{.items[0].spec.nodeName}')" -- \
  conntrack -D -p tcp -s "$address" --dport 7070
