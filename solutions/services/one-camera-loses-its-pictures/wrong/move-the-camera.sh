# fails: the cameras stand where they stood
# Where the other camera is, it works. So the south camera moves there, and films the wrong stand.
kubectl -n arena delete pod camera-south
kubectl -n arena run camera-south --image registry.k8s.io/e2e-test-images/agnhost:2.53 \
  --overrides '{"spec":{"nodeName":"'"$WORKER"'","terminationGracePeriodSeconds":1}}' -- pause
kubectl -n arena wait --for=condition=Ready pod camera-south --timeout 120s
