# fails: a visitor sees the padlock
# Another certificate, another order, another challenge: another Pod that nobody reaches.
kubectl -n locksmith wait --for=create certificate/front-tls --timeout 60s
kubectl -n locksmith delete certificate front-tls
kubectl -n ingress-nginx rollout restart deployment ingress-nginx-controller
kubectl -n ingress-nginx rollout status deployment ingress-nginx-controller --timeout 60s
