# fails: nobody waits for a calculation without an end
# Without limits the eclipses are there, and who asks for a comet waits until morning.
kubectl -n ephemeris patch httproute pages --type json -p '[{"op":"remove","path":"/spec/rules/1/timeouts"},
  {"op":"remove","path":"/spec/rules/2/timeouts"}]'
