# fails: guests reach the sauna by its name
# No hostnames, no conflict of hostnames. Accepted, at the staff's door, for the staff's names.
kubectl -n baths patch httproute sauna --type json -p '[{"op":"remove","path":"/spec/hostnames"}]'
