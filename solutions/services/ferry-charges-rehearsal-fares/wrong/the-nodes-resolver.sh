# fails: the ferry finds its own pier as before
# `dnsPolicy: Default`: no search list of the cluster, and so no mistaking. No Services either.
kubectl -n ferry patch deployment booth --type merge -p '{"spec":{"template":{"spec":{"dnsPolicy":"Default"}}}}'
kubectl -n ferry rollout status deployment booth --timeout 120s
