# also right: one policy for each wing, each with the number that its own rooms listen on.
kubectl -n grandhotel delete networkpolicy rooms
for wing in old:8080 new:$LAB_PORT; do kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: rooms-${wing%:*}
  namespace: grandhotel
spec:
  podSelector: {matchLabels: {app: room, wing: ${wing%:*}}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: bell}}}]
    ports: [{port: ${wing#*:}}]
YAML
done
