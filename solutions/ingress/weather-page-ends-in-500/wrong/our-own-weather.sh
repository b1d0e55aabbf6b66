# fails: readers see the weather
# A forecast of our own making, in our own namespace. It needs nobody's permission, and nobody at the observatory made it.
kubectl -n pressroom create deployment forecast --image registry.k8s.io/e2e-test-images/agnhost:2.53 -- \
  /agnhost netexec --http-port=8080
kubectl -n pressroom expose deployment forecast --port 80 --target-port 8080
kubectl -n pressroom rollout status deployment forecast --timeout 120s
kubectl -n pressroom patch httproute paper --type json \
  -p '[{"op":"replace","path":"/spec/rules/1/backendRefs/0","value":{"name":"forecast","port":80}}]'
