# fails: each lamp answers to its own name
# Perhaps DNS has missed them. New Pods have the subdomain of the old ones.
kubectl -n harbour rollout restart statefulset lamp
kubectl -n harbour rollout status statefulset lamp --timeout 120s
