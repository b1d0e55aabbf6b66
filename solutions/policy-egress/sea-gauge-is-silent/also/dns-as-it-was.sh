# also right: only the network changes; ClusterFirstWithHostNet means ClusterFirst for a Pod with a network of its own.
kubectl -n dike patch deployment reader --type json -p '[{"op":"remove","path":"/spec/template/spec/hostNetwork"}]'
kubectl -n dike rollout status deployment reader --timeout 120s
