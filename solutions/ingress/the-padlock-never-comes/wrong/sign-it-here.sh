# fails: a visitor sees the padlock
# With an Issuer that signs by itself nobody needs to be convinced, and nobody is.
kubectl -n locksmith patch issuer town-hall --type json \
    -p '[{"op":"replace","path":"/spec","value":{"selfSigned":{}}}]'
kubectl -n locksmith wait --for=create certificate/front-tls --timeout 60s
kubectl -n locksmith delete certificate front-tls
