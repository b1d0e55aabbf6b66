# fails: tickets kept its name, type and address
# A new Service with the right ports, and tickets as its alias. The name answers; the address that the gates hold does not.
kubectl apply -f - <<'YAML'
apiVersion: v1
kind: Service
metadata:
  name: tickets-new
  namespace: fair
spec:
  selector:
    app: tickets
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: metrics, port: 9100, targetPort: 9100}
YAML
kubectl -n fair delete service tickets
kubectl -n fair create service externalname tickets --external-name tickets-new.fair.svc.cluster.local
