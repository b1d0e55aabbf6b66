# fails: nobody waits for a calculation without an end
# Zero is not "at once", it is "no limit".
kubectl -n ephemeris patch httproute pages --type json -p '[{"op":"replace","path":"/spec/rules/1/timeouts/request","value":"0s"},
  {"op":"replace","path":"/spec/rules/1/timeouts/backendRequest","value":"0s"},
  {"op":"replace","path":"/spec/rules/2/timeouts/request","value":"0s"},
  {"op":"replace","path":"/spec/rules/2/timeouts/backendRequest","value":"0s"}]'
