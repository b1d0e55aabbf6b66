# also right: a Deployment of one, tied to the second machine; more to maintain than one DaemonSet, and as true.
kubectl apply -f - <<YAML
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cutter-south
  namespace: arena
spec:
  replicas: 1
  selector:
    matchLabels: {app: cutter, stand: south}
  template:
    metadata:
      labels: {app: cutter, stand: south}
    spec:
      nodeSelector: {kubernetes.io/hostname: $WORKER2}
      terminationGracePeriodSeconds: 1
      automountServiceAccountToken: false
      containers:
      - name: cutter
        image: registry.k8s.io/e2e-test-images/agnhost:2.53
        args: [netexec, --http-port=8080]
        readinessProbe: {httpGet: {path: /hostname, port: 8080}, periodSeconds: 1}
YAML
kubectl -n arena rollout status deployment cutter-south --timeout 120s
