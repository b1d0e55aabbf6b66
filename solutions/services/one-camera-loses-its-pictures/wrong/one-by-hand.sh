# fails: it stays so when the cutters are made anew
# A single Pod with the right label on the right machine. When it is gone, nobody will miss it but the camera.
kubectl -n arena run cutter-south --image registry.k8s.io/e2e-test-images/agnhost:2.53 --labels app=cutter \
  --overrides '{"spec":{"nodeName":"'"$WORKER2"'","terminationGracePeriodSeconds":1}}' -- netexec --http-port=8080
kubectl -n arena wait --for=condition=Ready pod cutter-south --timeout 120s
