# fails: the desk still gets the seal
# What is not there cannot be read. The notary cannot seal anything either.
kubectl -n notary patch deployment office --type json -p '[{"op":"remove","path":"/spec/template/spec/containers/1"}]'
kubectl -n notary rollout status deployment office --timeout 120s
