# also right: the Service made anew with the same node port, and without a word about the policy: the default is Cluster.
kubectl -n radio delete service player
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: player
  namespace: radio
spec:
  type: NodePort
  selector:
    app: player
  ports:
  - port: 80
    targetPort: 8080
    nodePort: $LAB_PORT
YAML
