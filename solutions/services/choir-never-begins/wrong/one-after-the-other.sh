# fails: each voice finds the others by name
# Start them again. The circle begins anew with them.
kubectl -n choir delete pod -l app=voice
until kubectl -n choir wait --for=jsonpath='{.status.phase}'=Running pod -l app=voice --timeout 60s; do :; done
