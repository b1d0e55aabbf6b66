# fails: visitors see this year's show
# Exact beats Prefix, so the cover is this year's. One click further it is last summer again.
kubectl -n garden-show patch ingress show --type json \
  -p '[{"op":"replace","path":"/spec/rules/0/http/paths/0/pathType","value":"Exact"}]'
