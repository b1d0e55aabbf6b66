# fails: who owes rent stays outside
# The gate lets in whoever asks. The cheese is back, and so are the umbrellas.
kubectl -n markethall patch gateway gate --type json \
  -p '[{"op":"replace","path":"/spec/listeners/0/allowedRoutes/namespaces","value":{"from":"All"}}]'
