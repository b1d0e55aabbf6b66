# also right: the Deployment says it itself, over the head of the ConfigMap; setting a variable makes new Pods.
kubectl -n centrecourt set env deployment score "LISTEN=0.0.0.0:$LAB_PORT"
kubectl -n centrecourt rollout status deployment score --timeout 120s
