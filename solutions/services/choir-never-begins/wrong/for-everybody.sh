# fails: a voice that falls ill keeps her name and is not heard
# The field on both Services: the concert begins, and from now on the audience is sent to whoever is ill.
for service in score concert; do
  kubectl -n choir patch service "$service" -p '{"spec":{"publishNotReadyAddresses":true}}'
done
kubectl -n choir wait --for=condition=Ready pod -l app=voice --timeout 60s
