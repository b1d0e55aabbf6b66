# fails: the brewmaster is the same Pod
# From the kettles' own node everything answers. The brewmaster moves there, and his node keeps its route.
kubectl -n brewery delete pod brewmaster
kubectl -n brewery run brewmaster --image registry.k8s.io/e2e-test-images/agnhost:2.53 \
  --overrides '{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$WORKER2"'"},"terminationGracePeriodSeconds":1}}' -- pause
kubectl -n brewery wait pod brewmaster --for condition=Ready --timeout 60s
