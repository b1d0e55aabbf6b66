# fails: guests reach the sauna by its name
# The listener wants other names, so it gets one: the route is Accepted now, and the guests still stand outside.
kubectl -n baths patch httproute sauna --type json \
  -p '[{"op":"replace","path":"/spec/hostnames/0","value":"sauna.staff.baths.example"}]'
