kubectl -n notary patch configmap seal-settings -p '{"data":{"LISTEN":"127.0.0.1:'"$LAB_PORT"'"}}'
kubectl -n notary rollout restart deployment office
kubectl -n notary rollout status deployment office --timeout 120s
