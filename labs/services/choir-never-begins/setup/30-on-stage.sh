# The voices are never ready, so nobody waits for them: see that they stand on the stage, and on both lists.
kubectl -n choir wait --for=jsonpath='{.status.phase}'=Running pod -l app=voice --timeout 60s
for service in score concert; do
  kubectl -n choir wait --for=jsonpath='{.endpoints[2].addresses[0]}' endpointslice \
    -l "kubernetes.io/service-name=$service" --timeout 30s
  kubectl -n choir wait --for=jsonpath='{.subsets[0].notReadyAddresses[2].ip}' "endpoints/$service" --timeout 30s
done
