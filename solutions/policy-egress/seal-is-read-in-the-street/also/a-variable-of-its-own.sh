# also right: the container's own variable, which wins over the ConfigMap, and Pods that are made anew for it.
kubectl -n notary set env deployment office -c seal "LISTEN=127.0.0.1:$LAB_PORT"
kubectl -n notary rollout status deployment office --timeout 120s
