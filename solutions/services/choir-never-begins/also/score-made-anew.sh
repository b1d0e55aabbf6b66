# also right: score deleted and made again with the field; a headless Service has no address that could be lost.
kubectl -n choir delete service score
kubectl apply -f - <<'YAML'
apiVersion: v1
kind: Service
metadata:
  name: score
  namespace: choir
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    app: voice
  ports:
  - {name: song, port: 8080}
YAML
kubectl -n choir wait --for=condition=Ready pod -l app=voice --timeout 60s
