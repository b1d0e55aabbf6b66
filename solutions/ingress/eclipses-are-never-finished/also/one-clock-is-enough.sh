# also right: without a limit for the single try, the one for the whole request is the only clock.
kubectl -n ephemeris patch httproute pages --type json -p '[{"op":"remove","path":"/spec/rules/1/timeouts/backendRequest"},
  {"op":"remove","path":"/spec/rules/2/timeouts/backendRequest"}]'
