# fails: the station has not been started again
# Not the Pod, only its process: the kubelet starts another one in the same Pod. Memory is in processes.
kubectl -n weather exec station -- kill 1
until [ "$(kubectl -n weather get pod station -o jsonpath='{.status.containerStatuses[0].restartCount}')" = 1 ]; do :; done
until kubectl -n weather exec station -- test -e /tmp/heard; do :; done
