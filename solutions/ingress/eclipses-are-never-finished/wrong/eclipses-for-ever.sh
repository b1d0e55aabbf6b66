# fails: nobody waits for a calculation without an end
# The comets keep their limits, the eclipses lose theirs. Tonight's take a second and a half; a long one takes all night.
kubectl -n ephemeris patch httproute pages --type json -p '[{"op":"remove","path":"/spec/rules/1/timeouts"}]'
