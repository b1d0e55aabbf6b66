# fails: eclipses are calculated to the end
# The path leads to something quick. It is an answer, and not an eclipse.
kubectl -n ephemeris patch httproute pages --type json \
  -p '[{"op":"replace","path":"/spec/rules/1/backendRefs/0/name","value":"tables"}]'
