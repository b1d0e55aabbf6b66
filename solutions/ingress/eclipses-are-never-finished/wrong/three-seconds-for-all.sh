# fails: what is stuck elsewhere is told at once
# One number for the whole site. Now the sextant takes three seconds to say that it is stuck.
kubectl -n ephemeris patch httproute pages --type json -p '[{"op":"replace","path":"/spec/rules/0/timeouts/request","value":"3s"},
  {"op":"replace","path":"/spec/rules/1/timeouts/backendRequest","value":"3s"},
  {"op":"replace","path":"/spec/rules/2/timeouts/backendRequest","value":"3s"},
  {"op":"replace","path":"/spec/rules/3/timeouts/request","value":"3s"}]'
