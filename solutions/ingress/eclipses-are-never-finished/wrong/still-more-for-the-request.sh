# fails: eclipses are calculated to the end
# What yesterday's change did not help, ten times as much of it will. The other clock still says one second.
kubectl -n ephemeris patch httproute pages --type json -p '[{"op":"replace","path":"/spec/rules/1/timeouts/request","value":"30s"}]'
