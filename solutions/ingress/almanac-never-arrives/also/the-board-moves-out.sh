# also right: the board takes its second along, in milliseconds; what is left has the fifty seconds of HAProxy itself.
kubectl -n almanac create ingress board --class haproxy --rule 'board.almanac.example/*=noticeboard:80' \
  --annotation haproxy-ingress.github.io/timeout-server=1000
kubectl -n almanac patch ingress observatory --type json -p '[{"op":"remove","path":"/spec/rules/1"}]'
kubectl -n almanac annotate ingress observatory haproxy-ingress.github.io/timeout-server-
