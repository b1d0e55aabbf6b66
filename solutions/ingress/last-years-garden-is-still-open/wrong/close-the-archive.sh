# fails: visitors see this year's show
# Without Pods last year cannot answer. But its rule is still there, and leads to nobody: 503.
kubectl -n garden-archive scale deployment catalogue --replicas 0
kubectl -n garden-archive wait --for=delete pod -l app=catalogue --timeout 60s
