# fails: no page is served to hosts that nobody named
# While at it, away with the host: now it certainly fits. It fits every other name that points here, too.
kubectl -n otter-pool patch ingress otters --type json \
  -p '[{"op":"add","path":"/spec/ingressClassName","value":"nginx"},{"op":"remove","path":"/spec/rules/0/host"}]'
