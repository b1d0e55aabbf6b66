# fails: one Ingress alone claims the name
# A regular expression is another path than /, so no older sheet has claimed it; and being longer it is tried first.
kubectl -n garden-show annotate ingress show nginx.ingress.kubernetes.io/use-regex=true
kubectl -n garden-show patch ingress show --type json -p '[
  {"op":"replace","path":"/spec/rules/0/http/paths/0/path","value":"/.*"},
  {"op":"replace","path":"/spec/rules/0/http/paths/0/pathType","value":"ImplementationSpecific"}]'
