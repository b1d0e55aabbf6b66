# Another type for a moment: as a ClusterIP Service it has no class, and its ClusterIP stays.
kubectl -n museum patch service door -p '{"spec":{"type":"ClusterIP","loadBalancerClass":null}}'
kubectl -n museum patch service door -p '{"spec":{"type":"LoadBalancer"}}'
kubectl -n museum wait --for=jsonpath='{.status.loadBalancer.ingress}' service/door --timeout 30s
