# fails: both names lead to the stage
# The name without papers is given up: no warning is left, and neither are those who have it in their programme booklet.
kubectl -n opera-house annotate ingress stage cert-manager.io/issuer=guild
kubectl -n opera-house patch ingress stage --type json -p '[{"op":"remove","path":"/spec/rules/0"}]'
