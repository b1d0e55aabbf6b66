# Wait at every address of the Pod, and begin anew: a variable is read when a container starts.
kubectl -n centrecourt patch configmap score-settings --type merge -p '{"data":{"LISTEN":"0.0.0.0:'"$LAB_PORT"'"}}'
kubectl -n centrecourt rollout restart deployment score
kubectl -n centrecourt rollout status deployment score --timeout 120s
