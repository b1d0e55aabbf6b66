# also right: deleted and made again without the class, and with the ClusterIP that the guard has written down.
ip=$(kubectl -n museum get service door -o jsonpath='{.spec.clusterIP}')
kubectl -n museum delete service door
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: door
  namespace: museum
spec:
  type: LoadBalancer
  clusterIP: $ip
  selector:
    app: exhibition
  ports:
  - {name: http, port: $LAB_PORT, targetPort: 8080}
YAML
kubectl -n museum wait --for=jsonpath='{.status.loadBalancer.ingress}' service/door --timeout 30s
