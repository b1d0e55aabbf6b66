# also right: the class by which the load balancer of this cluster is called, in the place of the old one.
kubectl -n museum patch service door -p '{"spec":{"type":"ClusterIP","loadBalancerClass":null}}'
kubectl -n museum patch service door -p '{"spec":{"type":"LoadBalancer","loadBalancerClass":"metallb"}}'
kubectl -n museum wait --for=jsonpath='{.status.loadBalancer.ingress}' service/door --timeout 30s
