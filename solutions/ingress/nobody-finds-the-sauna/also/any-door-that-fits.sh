# also right: without a section the route asks at every door, and the one that the name fits takes it in.
kubectl -n baths patch httproute sauna --type json -p '[{"op":"remove","path":"/spec/parentRefs/0/sectionName"}]'
