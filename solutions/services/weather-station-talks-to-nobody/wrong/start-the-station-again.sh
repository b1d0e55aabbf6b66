# fails: the station has not been started again
# A new Pod has a new socket, so a new flow. And the rain of the week is gone.
kubectl -n weather get pod station -o json | kubectl replace --force --timeout 60s -f -
kubectl -n weather wait --for=condition=Ready pod/station --timeout 60s
until kubectl -n weather exec station -- test -e /tmp/heard; do :; done
