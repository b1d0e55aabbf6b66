# fails: the feeder gets plankton thirty times in a row
# The plankton's policy names the wrong port, that is plain. So does the other one, at the feeder's end.
kubectl -n aquarium patch networkpolicy plankton --type json \
  -p '[{"op":"replace","path":"/spec/ingress/0/ports/0/port","value":"plankton"}]'
