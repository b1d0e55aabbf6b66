# also right: a comet is given up after a second, which is well within three.
kubectl -n ephemeris patch httproute pages --type json -p '[{"op":"replace","path":"/spec/rules/1/timeouts/backendRequest","value":"2500ms"}]'
