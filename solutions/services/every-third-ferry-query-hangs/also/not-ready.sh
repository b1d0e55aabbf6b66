# also right: the address stays on record and is said not to be ready; nobody is sent there then.
kubectl -n ferryport patch endpointslice timetable-move --type merge \
  -p '{"endpoints":[{"addresses":["'"$LAB_GHOST"'"],"conditions":{"ready":false}}]}'
