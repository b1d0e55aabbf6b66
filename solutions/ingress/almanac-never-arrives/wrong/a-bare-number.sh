# fails: the almanac arrives
# Twenty, in an Ingress of its own. HAProxy counts in milliseconds, and has never been so impatient.
kubectl -n almanac patch ingress observatory --type json -p '[{"op":"remove","path":"/spec/rules/0"}]'
kubectl -n almanac create ingress almanac --class haproxy --rule 'almanac.example/*=machine:80' \
  --annotation haproxy-ingress.github.io/timeout-server=20
