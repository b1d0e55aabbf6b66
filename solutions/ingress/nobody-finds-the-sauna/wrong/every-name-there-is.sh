# fails: a name of nobody stays nobody's
# The right door and no name: now the sauna answers for everything that nobody else has claimed.
kubectl -n baths patch httproute sauna --type json -p '[
  {"op":"replace","path":"/spec/parentRefs/0/sectionName","value":"guests"},
  {"op":"remove","path":"/spec/hostnames"}]'
